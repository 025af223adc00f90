//! Reads `data:`, the folders on the hosts that keep what must not be lost.

use super::finding::Finding;
use super::reader::Reader;
use super::tree::{Node, Value};

/// A folder, or a list of them where `many` are allowed. Wrong ones are left out.
pub(super) fn folders(reader: &mut Reader<'_>, node: &Node, many: bool) -> Vec<String> {
    let nodes = match &node.value {
        Value::Seq(items) if items.is_empty() => {
            reader.push(
                Finding::error(node.span, "`data` is empty")
                    .help("name a folder, or remove the word"),
            );
            return Vec::new();
        }
        Value::Seq(items) if items.len() > 1 && !many => {
            let help = "name a single folder";
            reader.push(
                Finding::error(node.span, "this service keeps its data in one folder").help(help),
            );
            return Vec::new();
        }
        Value::Seq(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    nodes
        .iter()
        .filter_map(|node| folder(reader, node))
        .collect()
}

fn folder(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    const LOST: [&str; 7] = [
        "/tmp", "/var/tmp", "/run", "/var/run", "/dev", "/proc", "/sys",
    ];
    let text = reader.some_text(node, "`data`")?;
    let path = text.trim_end_matches('/');
    let within = |folder: &&str| {
        path.strip_prefix(*folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let (cause, help) = if !text.starts_with('/') {
        (
            "a data folder is a whole path on the hosts",
            "begin it with `/`, such as `/mnt/usb/data`",
        )
    } else if path.is_empty() || path.split('/').any(|part| part == ".." || part == ".") {
        (
            "a data folder is a folder of its own, without `.` and `..`",
            "write a path such as `/mnt/usb/data`",
        )
    } else if path.contains(|c: char| c.is_whitespace() || ",:\"'\\$".contains(c)) {
        (
            "a data folder has no spaces, commas, colons or quotes",
            "write a path such as `/mnt/usb/data`",
        )
    } else if LOST.iter().any(within) {
        (
            "what is there is lost when the host starts again",
            "take a folder on a disk, such as `/var/lib/data`",
        )
    } else {
        return Some(path.to_owned());
    };
    reader.push(Finding::error(node.span, cause).help(help));
    None
}
