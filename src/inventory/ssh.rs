//! Reads `ssh:`, at the top and of a host.

use std::path::PathBuf;

use super::finding::Finding;
use super::reader::{Reader, written};
use super::tree::Node;
use super::words;

/// What `ssh:` says.
#[derive(Debug, Clone, Default)]
pub(super) struct Ssh {
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) key: Option<PathBuf>,
    pub(super) config: Option<PathBuf>,
}

/// Reads `ssh:` with the words that are known at its place.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node, what: &str, known: &[words::Word]) -> Ssh {
    let mut ssh = Ssh::default();
    for word in reader.words(node, what, known) {
        let node = &word.node;
        match word.key.as_str() {
            "user" => ssh.user = user(reader, node),
            "port" => ssh.port = reader.port(node, "port"),
            "key" => ssh.key = reader.path(node, "`key`"),
            _ => ssh.config = reader.path(node, "`config`"),
        }
    }
    ssh
}

fn user(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.some_text(node, "`user`")?;
    if !is_login(text) {
        let cause = format!("{} is not a login name", written(node));
        reader.push(
            Finding::error(node.span, cause).help("write the name you log in with, such as `pi`"),
        );
        return None;
    }
    Some(text.to_owned())
}

/// Whether a text may be a login name.
#[must_use]
pub fn is_login(text: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || "._-@+\\$".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(good)
}
