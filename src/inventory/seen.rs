//! What hosts have said so far, to find what is given twice.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::id::HostName;

use super::finding::Finding;
use super::nearest::shown;
use super::reader::Reader;
use super::tree::Span;

/// A host, and where to point at for it.
pub(super) type Named<'a> = (&'a HostName, Span);

/// What was given so far, to find what is given twice.
#[derive(Default)]
pub(super) struct Seen {
    addresses: HashMap<String, (HostName, Span)>,
    roots: BTreeMap<PathBuf, (HostName, Span)>,
}

impl Seen {
    /// Notes an address; a finding if another host has it.
    pub(super) fn address(
        &mut self,
        reader: &mut Reader<'_>,
        (name, span): Named<'_>,
        address: &str,
    ) {
        let key = address.trim_end_matches('.').to_lowercase();
        if let Some((other, first)) = self.addresses.get(&key) {
            let finding = Finding::error(span, format!("hosts `{other}` and `{name}` have the same address, {}", shown(address)))
            .also(*first, format!("`{other}` has it here"))
            .help("each host needs an address of its own; for several servers on one board, list one host");
            reader.push(finding);
        } else {
            self.addresses.insert(key, (name.clone(), span));
        }
    }

    /// Notes the root of a local host; a finding if it lies in another's.
    pub(super) fn root(&mut self, reader: &mut Reader<'_>, (name, span): Named<'_>, path: &Path) {
        let clash = self
            .roots
            .iter()
            .find(|(other, _)| path.starts_with(other) || other.starts_with(path));
        if let Some((_, (other, first))) = clash {
            let finding = Finding::error(
                span,
                format!("the roots of `{other}` and `{name}` lie in each other"),
            )
            .also(*first, format!("that of `{other}`"))
            .help("give each local host a directory of its own");
            reader.push(finding);
        } else {
            self.roots.insert(path.to_owned(), (name.clone(), span));
        }
    }
}
