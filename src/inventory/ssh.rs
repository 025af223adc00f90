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
    pub(super) kex: Option<String>,
    pub(super) persist: Option<u64>,
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
            "config" => ssh.config = reader.path(node, "`config`"),
            "kex" => ssh.kex = kex(reader, node),
            _ => ssh.persist = reader.time(node, "persist", (MINUTE, DAY)),
        }
    }
    ssh
}

/// The shortest and the longest time that connections may stay.
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

fn kex(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.some_text(node, "`kex`")?;
    let good = |c: char| c.is_ascii_alphanumeric() || "@._-,*".contains(c);
    let names = text.trim_start_matches(['+', '-', '^']);
    if names.is_empty() || text.len() > names.len() + 1 || !names.chars().all(good) {
        let cause = format!("{} is not a list of key exchange methods", written(node));
        reader.push(Finding::error(node.span, cause).help(
            "write names with commas, as `KexAlgorithms` of ssh_config(5) has them (`ssh -Q kex` lists yours), such as `^mlkem768x25519-sha256`",
        ));
        return None;
    }
    Some(text.to_owned())
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
