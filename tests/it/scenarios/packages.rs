//! A folder of tiny packages, one for each version of each service that has one.

use std::path::Path;

use sdtd::catalogue::Catalogue;
use sdtd::catalogue::descriptor::Source;

/// Writes them; the same catalogue gives the same bytes.
pub fn write(folder: &Path, catalogue: &Catalogue) {
    std::fs::create_dir_all(folder).expect("a folder");
    for (name, service) in catalogue.iter() {
        let Some(package) = &service.descriptor.package else {
            continue;
        };
        if package
            .sources
            .iter()
            .any(|source| matches!(source, Source::Folder { .. }))
        {
            continue;
        }
        for version in service.descriptor.versions.keys() {
            let stem = format!("{name}-{version}");
            let text = format!("this is {stem}\n");
            let path = folder.join(format!("{stem}.tar"));
            std::fs::write(path, tar(&format!("{stem}/share/about"), &text)).expect("written");
        }
    }
}

/// A tar file with one file.
pub fn tar(path: &str, text: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_data(&mut header, path, text.as_bytes())
        .expect("appended");
    builder.into_inner().expect("whole")
}
