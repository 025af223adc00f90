//! Steps as one POSIX `sh` script. What the script does is in `steps.sh`; here are only its calls.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::facts::quote;
use crate::plan::compare::{block_begin, block_end};
use crate::plan::desired::hex;
use crate::plan::{Step, UnitChange};

/// Where things are on the host that the script is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// What sdtd keeps about the cluster.
    pub state: String,
    /// Packages on their way.
    pub incoming: String,
    /// Whether units are kept by pid files.
    pub pidfiles: bool,
}

impl Places {
    /// The file that a package arrives in.
    #[must_use]
    pub fn arrival(&self, sha256: &str) -> String {
        format!("{}/{sha256}.part", self.incoming)
    }
}

/// The script of some steps, numbered from `first`.
#[must_use]
pub fn script(places: &Places, first: usize, steps: &[Step]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "state={}", quote(&places.state));
    let units = if places.pidfiles {
        format!("{}/units", places.state)
    } else {
        String::new()
    };
    let _ = writeln!(text, "units={}", quote(&units));
    text.push_str(include_str!("steps.sh"));
    let mut calls = String::new();
    for (offset, step) in steps.iter().enumerate() {
        call(places, first + offset, step, &mut text, &mut calls);
    }
    // All of it is read before any of it runs: nothing that runs can eat the rest of the script.
    let _ = write!(text, "main() {{\n{calls}}}\nmain </dev/null\n");
    text
}

fn call(places: &Places, n: usize, step: &Step, functions: &mut String, calls: &mut String) {
    let mut words: Vec<String> = Vec::new();
    let mut env = String::new();
    match step {
        Step::User { name } => words.extend(["add_user".into(), quote(name)]),
        Step::Dir { path, owner, mode } => {
            words.extend([
                "make_dir".into(),
                quote(path),
                owner_word(owner.as_ref()),
                quote(mode),
            ]);
        }
        Step::File {
            path,
            before,
            after,
            owner,
            mode,
            ..
        } => {
            let function = text_function(functions, n, after);
            let sum_before = before
                .as_ref()
                .map_or_else(|| "-".to_owned(), |t| sha256(t));
            words.extend([
                "put_file".into(),
                quote(path),
                owner_word(owner.as_ref()),
                quote(mode),
            ]);
            words.extend([sum_before, sha256(after), function]);
        }
        Step::Block {
            path, name, after, ..
        } => {
            let (begin, end) = (block_begin(name), block_end(name));
            let text = after
                .as_ref()
                .map(|text| format!("{begin}\n{text}\n{end}\n"));
            let function = text_function(functions, n, &text.unwrap_or_default());
            words.extend([
                "put_block".into(),
                quote(path),
                quote(&begin),
                quote(&end),
                function,
            ]);
        }
        Step::Package {
            sha256,
            store,
            strip,
            gzip,
            owner,
            tools,
            ..
        } => {
            let function = tools_function(functions, n, tools);
            let gzip = if *gzip { "yes" } else { "''" };
            words.extend([
                "unpack".into(),
                quote(&places.arrival(sha256)),
                quote(sha256),
            ]);
            words.extend([
                quote(store),
                strip.to_string(),
                gzip.into(),
                owner_word(owner.as_ref()),
            ]);
            words.push(function);
        }
        Step::Link { path, to, .. } => {
            words.extend(["make_link".into(), quote(path), quote(to)]);
        }
        Step::Once {
            hook,
            marker,
            user,
            env: values,
            within,
            ..
        } => {
            for (key, value) in values {
                let _ = writeln!(env, "export {key}={}", quote(value));
            }
            let user = owner_word(user.as_ref());
            words.extend([
                "once".into(),
                quote(marker),
                user,
                within.to_string(),
                quote(hook),
            ]);
        }
        Step::Unit { unit, to, within } => {
            words.extend([
                "unit".into(),
                unit_word(*to).into(),
                quote(unit),
                within.to_string(),
            ]);
        }
        Step::Remove { path, .. } => words.extend(["remove".into(), quote(path)]),
    }
    let _ = writeln!(calls, "{env}step {n} {}", words.join(" "));
}

fn owner_word(owner: Option<&String>) -> String {
    quote(owner.map(String::as_str).unwrap_or_default())
}

fn unit_word(change: UnitChange) -> &'static str {
    match change {
        UnitChange::Start => "start",
        UnitChange::Stop => "stop",
        UnitChange::Restart => "restart",
        UnitChange::Reload => "reload",
        UnitChange::Enable => "enable",
        UnitChange::Disable => "disable",
    }
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// A function that prints a text exactly, and its name.
fn text_function(functions: &mut String, n: usize, text: &str) -> String {
    let _ = writeln!(functions, "text_{n}() {{\n{}}}", printed(text));
    format!("text_{n}")
}

/// A function that writes the tools into a tree, and its name.
fn tools_function(
    functions: &mut String,
    n: usize,
    tools: &std::collections::BTreeMap<String, String>,
) -> String {
    let _ = writeln!(functions, "tools_{n}() {{\n:");
    for (path, text) in tools {
        let (end, body) = here_document(text);
        let _ = writeln!(
            functions,
            "tool \"$1\"/{} <<'{end}' || return 1\n{body}{end}",
            quote(path)
        );
    }
    functions.push_str("}\n");
    format!("tools_{n}")
}

/// Commands that print a text exactly, its last line with or without an end.
fn printed(text: &str) -> String {
    if text.is_empty() {
        return ":\n".to_owned();
    }
    if !text.ends_with('\n') {
        return format!("printf '%s' {}\n", quote(text));
    }
    let (end, body) = here_document(text);
    format!("cat <<'{end}'\n{body}{end}\n")
}

/// A here-document's delimiter, which no line of the text is, and its body.
fn here_document(text: &str) -> (String, String) {
    let mut end = "SDTD_END".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    let newline = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    (end, format!("{text}{newline}"))
}
