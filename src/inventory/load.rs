//! From a file to a checked cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::catalogue::Catalogue;
use crate::id::ClusterName;

use super::finding::{Finding, Findings, Severity};
use super::model::Cluster;
use super::reader::{Context, Reader, written};
use super::tree::{self, Node, Span, Value};
use super::vars::{self, Env};
use super::{hosts, rules, services, topics, words};

/// An inventory that can be acted on.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub cluster: Cluster,
    /// What is most likely not meant so.
    pub warnings: Findings,
    /// The file's text.
    pub text: String,
    /// The file.
    pub path: PathBuf,
}

/// Why an inventory cannot be acted on.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("{}: {source}{}", path.display(), next_step(path, source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{0}")]
    Findings(Findings),
}

fn next_step(path: &Path, error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            "\nhelp: name another file; `sdtd init FILE` writes a first one"
        }
        _ if path.is_dir() => "\nhelp: name the inventory file in it",
        _ => "",
    }
}

/// Reads and checks an inventory file, or another text in its place.
///
/// # Errors
/// When the file cannot be read, or anything in it is an error; then all findings are there, warnings too.
pub fn load(
    path: &Path,
    text: Option<&str>,
    catalogue: &Catalogue,
    env: &Env,
) -> Result<Loaded, LoadError> {
    let read = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = match text {
        Some(text) => text.as_bytes().to_vec(),
        None => std::fs::read(path).map_err(read)?,
    };
    let whole = std::path::absolute(path).map_err(read)?;
    let folder = whole.parent().unwrap_or(&whole);
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(LoadError::Findings(not_utf8(path, &error))),
    };
    let context = Context {
        catalogue,
        env,
        folder,
    };
    match check(&text, &context) {
        Ok((cluster, warnings)) => {
            let warnings = Findings::new(path, &text, warnings);
            Ok(Loaded {
                cluster,
                warnings,
                text,
                path: path.to_owned(),
            })
        }
        Err(findings) => Err(LoadError::Findings(Findings::new(path, &text, findings))),
    }
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Findings {
    let good = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let before = &text[..text.floor_char_boundary(good)];
    let line = before.matches('\n').count() + 1;
    let col = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    let span = Span {
        line,
        col,
        start: good,
        end: good + 1,
    };
    let finding = Finding::error(span, "the file is not UTF-8 text")
        .help("save it as UTF-8, or remove the character at this place");
    Findings::new(path, &text, vec![finding])
}

/// Checks the text of an inventory. With the cluster come warnings.
///
/// # Errors
/// When anything is an error: all findings, errors and warnings.
pub fn check(text: &str, context: &Context<'_>) -> Result<(Cluster, Vec<Finding>), Vec<Finding>> {
    let (mut root, mut findings) = tree::parse(text).map_err(|finding| vec![*finding])?;
    let parsed = findings.len();
    if let Value::Map(entries) = &mut root.value {
        for entry in entries.iter_mut().filter(|entry| entry.key != "x") {
            vars::substitute(&mut entry.node, context.env, &mut findings);
        }
    }
    // What stands where a variable is missing is nobody's fault: one finding for the place is enough.
    let missing: Vec<Span> = findings[parsed..]
        .iter()
        .map(|finding| finding.span)
        .collect();
    let known = findings.len();
    let mut reader = Reader {
        context: *context,
        findings,
    };
    let cluster = cluster(&mut reader, &root);
    let mut findings = reader.findings;
    if let Some(cluster) = &cluster {
        findings.extend(rules::check(cluster, &root, context.catalogue));
    }
    let mut place = 0..;
    findings.retain(|finding| {
        place.next().is_some_and(|at| at < known) || !missing.contains(&finding.span)
    });
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    let sorted = |findings| Findings::new(Path::new(""), "", findings).findings;
    match cluster {
        Some(cluster) if !findings.iter().any(is_error) => Ok((cluster, sorted(findings))),
        _ => Err(sorted(findings)),
    }
}

/// Reads the whole tree. What is wrong becomes a finding, and the rest is read all the same.
fn cluster(reader: &mut Reader<'_>, root: &Node) -> Option<Cluster> {
    if root.value == Value::Null {
        let finding = Finding::error(root.span, "the inventory is empty")
            .help("`sdtd init` writes a first one; it has `cluster`, `hosts` and `services`");
        reader.push(finding);
        return None;
    }
    reader.words(root, "an inventory", words::TOP);
    if !matches!(root.value, Value::Map(_)) {
        return None;
    }
    let name = name(reader, root);
    let hosts = hosts::read(reader, root);
    let services = services::read(reader, root, &hosts);
    let topics = topics::read(reader, root, &services);
    let drills = drills(reader, root);
    Some(Cluster {
        name,
        hosts,
        services,
        topics,
        drills,
        replaced: BTreeMap::new(),
    })
}

/// Whether drills may be made.
fn drills(reader: &mut Reader<'_>, root: &Node) -> bool {
    let Some(entry) = root.entry("drills") else {
        return false;
    };
    let Some(text) = reader.text(&entry.node, "`drills`") else {
        return false;
    };
    if !words::DRILLS.contains(&text) {
        let help = "write `allowed`, on a cluster that may be broken on purpose, or `refused`";
        let cause = format!("`drills` cannot be {}", written(&entry.node));
        reader.push(Finding::error(entry.node.span, cause).help(help));
    }
    text == "allowed"
}

/// The cluster's name. Where it is wrong, a finding says so and any name will do to go on.
fn name(reader: &mut Reader<'_>, root: &Node) -> ClusterName {
    let any = || {
        "cluster"
            .parse::<ClusterName>()
            .expect("`cluster` is a name")
    };
    let Some(entry) = root.entry("cluster") else {
        let help = "add a first line such as `cluster: my-cluster`";
        reader.push(Finding::error(root.place(&[]), "the cluster has no name").help(help));
        return any();
    };
    let Some(text) = reader.text(&entry.node, "`cluster`") else {
        return any();
    };
    text.parse().unwrap_or_else(|_| {
        let finding = Finding::error(
            entry.node.span,
            format!("{} is not a name for a cluster", written(&entry.node)),
        )
        .help("use 1 to 63 lower-case letters, digits and inner dashes, beginning with a letter");
        reader.push(finding);
        any()
    })
}
