//! What an archive is: its kind, and how many leading folders its tree hides behind.
//!
//! The whole file is read, so that one which is cut short is found here and not on a host.

use super::{ArtifactError, Format};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Component, Path};

/// Folders that are part of a tree, never the one it is wrapped in.
const OWN: [&str; 6] = ["bin", "conf", "etc", "lib", "libs", "share"];

/// Looks into a tar file, compressed or not.
pub(crate) fn of(path: &Path) -> Result<(Format, usize), ArtifactError> {
    let wrong = |why: String| ArtifactError::Layout {
        path: path.into(),
        why,
    };
    let mut file = File::open(path).map_err(ArtifactError::io(path))?;
    let mut head = Vec::new();
    file.by_ref()
        .take(512)
        .read_to_end(&mut head)
        .map_err(ArtifactError::io(path))?;
    file.rewind().map_err(ArtifactError::io(path))?;
    let format = kind(&head).map_err(wrong)?;
    let file = BufReader::with_capacity(128 * 1024, file);
    let strip = match format {
        Format::Tar => ends(path).and_then(|()| strip(file)),
        Format::TarGz => strip(MultiGzDecoder::new(file)),
    };
    Ok((format, strip.map_err(wrong)?))
}

fn kind(head: &[u8]) -> Result<Format, String> {
    let other = match head {
        [0x1f, 0x8b, ..] => return Ok(Format::TarGz),
        _ if head.get(257..262) == Some(b"ustar") => return Ok(Format::Tar),
        [b'P', b'K', ..] => "a zip file",
        [0xfd, b'7', b'z', ..] => "an xz file",
        [b'B', b'Z', b'h', ..] => "a bzip2 file",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd file",
        [] => "empty",
        _ => "no archive",
    };
    Err(format!("is {other}; .tar and .tar.gz files are understood"))
}

/// A tar file ends with empty blocks; without them it may be cut off between two entries.
fn ends(path: &Path) -> Result<(), String> {
    let mut last = [1; 512];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-512))?;
        file.read_exact(&mut last)
    });
    match read {
        Ok(()) if last == [0; 512] => Ok(()),
        Ok(()) => Err("is damaged or cut short: it has no end mark".into()),
        Err(error) => Err(format!("is damaged or cut short: {error}")),
    }
}

/// Reads all entries' names and tells how many leading components of each are to be dropped.
fn strip(reader: impl Read) -> Result<usize, String> {
    let broken = |e: std::io::Error| format!("is damaged or cut short: {e}");
    let mut archive = tar::Archive::new(reader);
    let (mut tops, mut dots, mut plain) = (BTreeSet::new(), false, false);
    let mut flat = false;
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.into_owned();
        // What git and macOS put beside a tree is no part of it.
        let is_extra = entry.header().entry_type().is_pax_global_extensions();
        let file = name.file_name().unwrap_or_default().as_encoded_bytes();
        if is_extra || file.starts_with(b"._") {
            continue;
        }
        // A leading `./` counts as a component to tar; both ways in one file can't be served.
        match name.as_os_str().as_encoded_bytes() {
            b"." | b"./" => continue,
            [b'.', b'/', ..] => dots = true,
            _ => plain = true,
        }
        let mut parts = name.components().filter(|part| *part != Component::CurDir);
        if parts
            .clone()
            .any(|part| !matches!(part, Component::Normal(_)))
        {
            return Err(format!(
                "has an entry outside its own tree: {}",
                name.display()
            ));
        }
        let Some(top) = parts.next() else { continue };
        tops.insert(top.as_os_str().to_owned());
        flat |= parts.next().is_none() && !entry.header().entry_type().is_dir();
    }
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(broken)?;
    if dots && plain {
        return Err("has entries with and without a leading `./`".into());
    }
    let wrapped = match tops.iter().collect::<Vec<_>>()[..] {
        [] => return Err("has nothing in it".into()),
        [top] => !flat && !OWN.iter().any(|own| top.as_os_str() == *own),
        _ => false,
    };
    Ok(usize::from(dots) + usize::from(wrapped))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gzip, tar};
    use super::*;
    use std::fs;

    fn strip_of(names: &[&str]) -> Result<usize, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        fs::write(&path, tar(names)).unwrap();
        of(&path).map(|(_, strip)| strip).map_err(|e| e.to_string())
    }

    #[test]
    fn the_leading_folder_is_found() {
        assert_eq!(
            strip_of(&["mill_2.13-3.9.1/libs/a.jar", "mill_2.13-3.9.1/NOTICE"]),
            Ok(1)
        );
        assert_eq!(strip_of(&["libs/a.jar", "bin/x.sh"]), Ok(0));
        assert_eq!(strip_of(&["lib/a.jar", "lib/b.jar"]), Ok(0));
        assert_eq!(strip_of(&["tool"]), Ok(0));
        assert_eq!(strip_of(&["./mill/libs/a.jar", "./mill/NOTICE"]), Ok(2));
        assert_eq!(strip_of(&["./lib/a.jar", "./bin/x"]), Ok(1));
        assert!(
            strip_of(&["./lib/a.jar", "bin/x"])
                .unwrap_err()
                .contains("leading `./`")
        );
        assert!(strip_of(&[]).is_err());
    }

    #[test]
    fn what_git_and_macos_add_is_no_part_of_the_tree() {
        let names = ["._mill", "mill/libs/a.jar", "mill/._NOTICE", "mill/NOTICE"];
        assert_eq!(strip_of(&names), Ok(1));
        let mut bytes = tar(&["pax_global_header"]);
        bytes.truncate(2 * 512);
        let header = tar::Header::from_byte_slice(&bytes[..512]);
        let mut header = header.clone();
        header.set_entry_type(tar::EntryType::XGlobalHeader);
        header.set_size(26);
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        bytes[512..].fill(0);
        bytes[512..538].copy_from_slice(b"26 comment=0123456789abcd\n");
        bytes.extend(tar(&["mill/libs/a.jar", "mill/NOTICE"]));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tgz");
        fs::write(&path, gzip(&bytes)).unwrap();
        assert_eq!(of(&path).unwrap(), (Format::TarGz, 1));
    }

    #[test]
    fn what_can_not_be_unpacked_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let why = |bytes: &[u8]| {
            let path = dir.path().join("x");
            fs::write(&path, bytes).unwrap();
            of(&path)
                .map(|(format, _)| format)
                .map_err(|e| e.to_string())
        };
        let whole = gzip(&tar(&["mill/libs/a.jar"]));
        assert_eq!(why(&whole), Ok(Format::TarGz));
        assert!(
            why(&whole[..whole.len() - 9])
                .unwrap_err()
                .contains("cut short")
        );
        assert!(why(b"PK\x03\x04").unwrap_err().contains("a zip file"));
        assert!(why(b"").unwrap_err().contains("empty"));
        let long = tar(&["mill/libs/a.jar", "mill/libs/b.jar"]);
        assert!(why(&long[..1536]).unwrap_err().contains("no end mark"));
        assert!(why(&long[..1600]).unwrap_err().contains("cut short"));
    }
}
