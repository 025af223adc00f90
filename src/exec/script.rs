//! Steps as one POSIX `sh` script. What the script does is in `steps.sh`; here are only its calls.

use std::fmt::Write as _;

use crate::digest::sha256;
use crate::facts::quote;
use crate::plan::compare::{block_begin, block_end};
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
    let words = match step {
        Step::User { name } => format!("add_user {}", quote(name)),
        Step::Dir { path, owner, mode } => {
            format!(
                "make_dir {} {} {}",
                quote(path),
                owner_word(owner),
                quote(mode)
            )
        }
        Step::File { .. } => file_call(n, step, functions),
        Step::Block {
            path, name, after, ..
        } => {
            let (begin, end) = (block_begin(name), block_end(name));
            let text = after
                .as_ref()
                .map(|text| format!("{begin}\n{text}\n{end}\n"));
            let function = text_function(functions, n, &text.unwrap_or_default());
            format!(
                "put_block {} {} {} {function}",
                quote(path),
                quote(&begin),
                quote(&end)
            )
        }
        Step::Sysctl { key, before, after } => {
            format!(
                "set_sysctl {} {} {}",
                quote(key),
                quote(before),
                quote(after)
            )
        }
        Step::Package { .. } => package_call(places, n, step, functions),
        Step::Distribution {
            package,
            brought,
            quiet,
        } => {
            let sum = brought.as_deref().unwrap_or_default();
            let archive = brought.as_ref().map(|sum| places.arrival(sum));
            let archive = archive.unwrap_or_default();
            let words = [package.as_str(), &archive, sum].into_iter();
            let words: Vec<String> = words
                .chain(quiet.iter().map(String::as_str))
                .map(quote)
                .collect();
            format!("apt_install {}", words.join(" "))
        }
        Step::Link { path, to, .. } => format!("make_link {} {}", quote(path), quote(to)),
        Step::Once {
            hook,
            marker,
            user,
            env,
            within,
            ..
        } => {
            for (key, value) in env {
                let _ = writeln!(calls, "export {key}={}", quote(value));
            }
            format!(
                "once {} {} {within} {}",
                quote(marker),
                owner_word(user),
                quote(hook)
            )
        }
        Step::Unit { unit, to, within } => {
            format!("unit {} {} {within}", unit_word(*to), quote(unit))
        }
        Step::Remove { path, .. } => format!("remove {}", quote(path)),
        Step::RemoveEmpty { path } => format!("remove_empty {}", quote(path)),
    };
    let _ = writeln!(calls, "step {n} {words}");
}

fn file_call(n: usize, step: &Step, functions: &mut String) -> String {
    let Step::File {
        path,
        before,
        after,
        owner,
        mode,
        ..
    } = step
    else {
        return String::new();
    };
    let function = text_function(functions, n, after);
    let sum_before = before
        .as_ref()
        .map_or_else(|| "-".to_owned(), |text| sha256(text));
    let (path, owner, mode) = (quote(path), owner_word(owner), quote(mode));
    format!(
        "put_file {path} {owner} {mode} {sum_before} {} {function}",
        sha256(after)
    )
}

fn package_call(places: &Places, n: usize, step: &Step, functions: &mut String) -> String {
    let Step::Package {
        sha256,
        store,
        strip,
        gzip,
        owner,
        tools,
        ..
    } = step
    else {
        return String::new();
    };
    let function = tools_function(functions, n, tools);
    let gzip = if *gzip { "yes" } else { "''" };
    let (archive, sum) = (quote(&places.arrival(sha256)), quote(sha256));
    let (store, owner) = (quote(store), owner_word(owner));
    format!("unpack {archive} {sum} {store} {strip} {gzip} {owner} {function}")
}

fn owner_word(owner: &Option<String>) -> String {
    quote(owner.as_deref().unwrap_or_default())
}

fn unit_word(change: UnitChange) -> &'static str {
    match change {
        UnitChange::Start => "start",
        UnitChange::Stop => "stop",
        UnitChange::Restart => "restart",
        UnitChange::Reload => "reload",
        UnitChange::Adopt => "adopt",
        UnitChange::Enable => "enable",
        UnitChange::Disable => "disable",
    }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_stays_as_it_was_where_there_is_no_room_for_its_new_text() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("profile");
        let before = "ours\n# begin\nold\n# end\n";
        fs::write(&file, before).unwrap();
        let steps = include_str!("steps.sh");
        let call = format!("put_block {} '# begin' '# end' :", file.display());
        let put = |full: &str| {
            let script = format!("{steps}\n{full}\n{call}\n");
            let status = Command::new("sh").args(["-c", &script]).status().unwrap();
            (status.success(), fs::read_to_string(&file).unwrap())
        };
        assert_eq!(put("printf() { return 1; }"), (false, before.to_owned()));
        assert_eq!(put(""), (true, "ours\n".to_owned()));
    }

    #[test]
    fn what_does_not_stop_in_time_is_killed() {
        let slow = "  stop) [ -e killed ] || exec sleep 60 ;;\n  kill) : >killed ;;\n  is-active) exit 3 ;;";
        let (said, out) = stopped(slow);
        let words: Vec<&str> = said.lines().collect();
        assert_eq!(
            words,
            ["stop", "kill", "stop", "reset-failed", "is-active"],
            "{out:?}"
        );
        assert!(out.status.success(), "{out:?}");
    }

    #[test]
    fn what_is_gone_already_need_not_stop_and_what_refuses_is_told_of() {
        let answers = |cases: &str| {
            let (_, out) = stopped(cases);
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        let gone = answers("  stop) exit 5 ;;\n  is-active) exit 4 ;;");
        assert!(gone.contains("@sdtd 1 changed"), "{gone}");
        let refuses = answers("  stop) exit 1 ;;\n  is-active) exit 0 ;;");
        assert!(refuses.contains("@sdtd 1 failed"), "{refuses}");
    }

    /// A stop where `systemctl` answers so: the words that it was called with, and what the script did.
    fn stopped(cases: &str) -> (String, std::process::Output) {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let place = dir.path().display();
        let tool =
            format!("#!/bin/sh\ncd '{place}'\necho \"$1\" >>said\ncase $1 in\n{cases}\nesac\n");
        std::fs::write(at("systemctl"), tool).unwrap();
        std::fs::set_permissions(at("systemctl"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let places = Places {
            state: "/nowhere".to_owned(),
            incoming: "/nowhere".to_owned(),
            pidfiles: false,
        };
        let step = Step::Unit {
            unit: "vault-shard".to_owned(),
            to: UnitChange::Stop,
            within: 1,
        };
        let path = format!("{place}:{}", std::env::var("PATH").unwrap());
        let mut sh = std::process::Command::new("sh");
        let out = sh
            .arg("-c")
            .arg(script(&places, 1, &[step]))
            .env("PATH", path)
            .output()
            .unwrap();
        (std::fs::read_to_string(at("said")).unwrap(), out)
    }

    #[test]
    fn what_is_done_once_waits_for_a_run_that_was_cut_off_and_is_still_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let (marker, hook, log) = (at("done"), at("hook"), at("log"));
        let text = format!("#!/bin/sh\necho begun >>{log}\nsleep 1\necho over >>{log}\n");
        std::fs::write(&hook, text).unwrap();
        let steps = include_str!("steps.sh");
        let script = format!("{steps}\nchmod +x {hook}\nonce {marker} '' 20 {hook}\n");
        let start = || {
            let mut sh = std::process::Command::new("sh");
            sh.args(["-c", &script]).spawn().unwrap()
        };
        let mut first = start();
        while !std::path::Path::new(&log).exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        // The shell of the first dies, its hook goes on.
        first.kill().unwrap();
        first.wait().unwrap();
        let mut second = start();
        assert_eq!(second.wait().unwrap().code(), Some(0));
        let log = std::fs::read_to_string(&log).unwrap();
        assert_eq!(log, "begun\nover\nbegun\nover\n");
        assert!(std::path::Path::new(&marker).exists());
        assert_eq!(start().wait().unwrap().code(), Some(100));
    }

    #[test]
    fn what_is_done_once_tells_why_it_failed_and_that_it_took_too_long() {
        for (does, said) in [
            ("echo why; exit 3", "why"),
            ("exec sleep 5", "it was not done within 1 s"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name).display().to_string();
            let (marker, hook, steps) = (at("done"), at("hook"), include_str!("steps.sh"));
            std::fs::write(&hook, format!("#!/bin/sh\n{does}\n")).unwrap();
            let script = format!("{steps}\nchmod +x {hook}\nonce {marker} '' 1 {hook}\n");
            let mut sh = std::process::Command::new("sh");
            let out = sh.args(["-c", &script]).output().unwrap();
            assert_eq!(out.status.code(), Some(1));
            let told = String::from_utf8_lossy(&out.stderr);
            assert!(told.trim() == said && out.stdout.is_empty(), "{told}");
            assert!(!std::path::Path::new(&marker).exists());
        }
    }
}
