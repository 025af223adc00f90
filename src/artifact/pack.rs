//! Tar files that come out the same, byte for byte, wherever and whenever they are made:
//! sorted names, no times, no owners, two modes.

use super::ArtifactError;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// Names in the tree, and the files that go there.
pub(crate) type Tree = BTreeMap<PathBuf, PathBuf>;

/// Everything below a folder.
pub(crate) fn below(folder: &Path) -> io::Result<Tree> {
    let mut tree = Tree::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(inside) = todo.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let name = inside.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                todo.push(name);
            } else {
                tree.insert(name, entry.path());
            }
        }
    }
    Ok(tree)
}

/// Makes a file, lets it be written, and waits for the disk to have it.
pub(crate) fn into_file(
    path: &Path,
    write: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), ArtifactError> {
    let made = File::create(path).and_then(|file| {
        write(&file)?;
        file.sync_all()
    });
    made.map_err(ArtifactError::io(path))
}

/// Writes a plain tar file.
pub(crate) fn plain(tree: &Tree, out: &File) -> io::Result<()> {
    write(tree, BufWriter::with_capacity(128 * 1024, out))?.flush()
}

/// Writes a tar file compressed with gzip.
pub(crate) fn gzipped(tree: &Tree, out: &File) -> io::Result<()> {
    let out = BufWriter::with_capacity(128 * 1024, out);
    write(tree, GzEncoder::new(out, Compression::default()))?
        .finish()?
        .flush()
}

fn write<W: Write>(tree: &Tree, out: W) -> io::Result<W> {
    let mut builder = Builder::new(out);
    let mut folder = PathBuf::new();
    for (name, file) in tree {
        let parent = name.parent().unwrap_or(Path::new(""));
        folders(&mut builder, &folder, parent)?;
        folder = parent.into();
        let data = fs::symlink_metadata(file)?;
        if data.is_symlink() {
            let mut header = header(EntryType::Symlink, 0o777, 0);
            builder.append_link(&mut header, name, fs::read_link(file)?)?;
        } else {
            let mode = if data.permissions().mode() & 0o111 == 0 {
                0o644
            } else {
                0o755
            };
            let mut header = header(EntryType::Regular, mode, data.len());
            builder.append_data(&mut header, name, File::open(file)?)?;
        }
    }
    builder.into_inner()
}

/// Writes the entries of `next` and of the folders above it that `last` is not in.
fn folders<W: Write>(builder: &mut Builder<W>, last: &Path, next: &Path) -> io::Result<()> {
    let mut above: Vec<&Path> = next
        .ancestors()
        .filter(|a| !a.as_os_str().is_empty())
        .collect();
    above.reverse();
    for folder in above {
        if !last.starts_with(folder) {
            let mut header = header(EntryType::Directory, 0o755, 0);
            builder.append_data(&mut header, folder, io::empty())?;
        }
    }
    Ok(())
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek as _;
    use std::time::{Duration, SystemTime};

    fn folder(names: &[&str], age: u64) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name.as_bytes()).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            File::open(&path).unwrap().set_modified(time).unwrap();
        }
        let tool = dir.path().join("bin/java");
        fs::set_permissions(tool, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink("../bin/java", dir.path().join("lib/link")).unwrap();
        dir
    }

    #[test]
    fn the_same_files_make_the_same_bytes() {
        let deep = "lib/".to_owned() + &"long-name/".repeat(15) + "x.jar";
        let one = folder(&["lib/b.jar", "bin/java", "lib/a.jar", &deep], 0);
        let two = folder(&[&deep, "lib/a.jar", "bin/java", "lib/b.jar"], 5000);
        let bytes = |dir: &tempfile::TempDir, zip: bool| {
            let mut out = tempfile::tempfile().unwrap();
            let tree = below(dir.path()).unwrap();
            if zip {
                gzipped(&tree, &out)
            } else {
                plain(&tree, &out)
            }
            .unwrap();
            out.rewind().unwrap();
            let mut all = Vec::new();
            io::copy(&mut out, &mut all).unwrap();
            all
        };
        assert_eq!(bytes(&one, true), bytes(&two, true));
        let plain = bytes(&one, false);
        assert_eq!(plain, bytes(&two, false));
        let mut archive = tar::Archive::new(&plain[..]);
        let entries: Vec<(String, u32, u64)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let name = entry.path().unwrap().display().to_string();
                (name, header.mode().unwrap(), header.mtime().unwrap())
            })
            .collect();
        assert_eq!(entries[0], ("bin".into(), 0o755, 0));
        assert_eq!(entries[1], ("bin/java".into(), 0o755, 0));
        assert_eq!(entries[2], ("lib".into(), 0o755, 0));
        assert_eq!(entries[3], ("lib/a.jar".into(), 0o644, 0));
        assert!(entries.iter().any(|(name, ..)| *name == deep));
    }
}
