//! Reads a host's answer: pure, and never trusting what it reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::model::{
    DirFact, Disk, FileFact, HostFacts, Listener, RECORD_FORMAT, Record, UnitFact,
};
use crate::id::Arch;

/// Why an answer was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// It is not an answer, or was cut off.
    #[error("its answer is not complete ({0}): a login shell that prints much, or a lost link?")]
    Torn(String),
    /// An architecture no package is made for.
    #[error("its architecture `{0}` is not supported (x86_64, aarch64 and armhf are)")]
    Arch(String),
    /// Its record can't be read.
    #[error("sdtd's record on it can't be read: {0}")]
    Record(String),
    /// Its record was written by a newer sdtd.
    #[error(
        "sdtd's record on it has format {0}, this sdtd knows up to {RECORD_FORMAT}: use a newer sdtd"
    )]
    Newer(u32),
}

/// Reads the answer of [`super::FactsRequest::script`].
///
/// # Errors
/// When the answer is torn, the architecture is unknown, or the record is of a newer format.
pub fn parse(answer: &str) -> Result<HostFacts, FactsError> {
    let mut reader = Reader::default();
    let mut lines = answer
        .split('\n')
        .skip_while(|line| *line != "begin\t1")
        .peekable();
    if lines.next().is_none() {
        return Err(FactsError::Torn("no beginning".to_owned()));
    }
    let mut ended = false;
    while let Some(line) = lines.next() {
        let fields: Vec<&str> = line.split('\t').collect();
        let mut text = Vec::new();
        while let Some(next) = lines.next_if(|next| next.starts_with('|')) {
            text.push(&next[1..]);
        }
        if fields[0] == "end" {
            ended = true;
            break;
        }
        match fields[..] {
            ["raw", of, ref asked @ ..] => {
                let said: Vec<&str> = lines.by_ref().take_while(|l| *l != "end-raw").collect();
                reader.raw(of, asked, &said);
            }
            _ => reader.line(&fields, &text),
        }
    }
    if !ended {
        return Err(FactsError::Torn("no end".to_owned()));
    }
    reader.finish()
}

/// What is looked at for the time: `stat`'s own process, which is as old as the answer.
const OWN_PROCESS: &str = "/proc/self/";

#[derive(Default)]
struct Reader {
    values: BTreeMap<String, String>,
    kernel: (String, String, String),
    disks: BTreeMap<String, Disk>,
    users: BTreeSet<String>,
    files: BTreeMap<String, FileFact>,
    sizes: BTreeMap<String, usize>,
    dirs: BTreeMap<String, DirFact>,
    links: BTreeMap<String, String>,
    store: BTreeSet<String>,
    used: BTreeSet<String>,
    markers: BTreeSet<String>,
    units: BTreeMap<String, UnitFact>,
    processes: BTreeMap<u32, (u64, u64)>,
    listening: Vec<Listener>,
    resolves: BTreeMap<String, String>,
}

impl Reader {
    fn line(&mut self, fields: &[&str], text: &[&str]) {
        match *fields {
            ["kernel", machine, bits, debian] => {
                self.kernel = (machine.to_owned(), bits.to_owned(), debian.to_owned());
            }
            ["path", OWN_PROCESS, _, _, _, time, _] => {
                self.values.insert("time".to_owned(), time.to_owned());
            }
            ["path", path, mode, owner, size, _, shown] => {
                self.path(path, [mode, owner, size, shown]);
            }
            ["text", path] => {
                let size = self.sizes.get(path).copied().unwrap_or_default();
                if let Some(file) = self.files.get_mut(path) {
                    file.text = file_text(text, size);
                }
            }
            ["store", name] => _ = self.store.insert(name.to_owned()),
            ["used", name] => _ = self.used.insert(name.to_owned()),
            ["marker", path] => _ = self.markers.insert(path.to_owned()),
            ["unit", name, state, pid, restarts, enabled, running] => {
                self.unit(name, [state, pid, restarts, enabled, running]);
            }
            ["resolves", name, address] => {
                self.resolves.insert(name.to_owned(), address.to_owned());
            }
            ["process", pid, uptime, anon_kb] => {
                let number = |t: &str| t.parse::<u64>().unwrap_or(0);
                if let Ok(pid) = pid.parse() {
                    self.processes
                        .insert(pid, (number(uptime), number(anon_kb) / 1024));
                }
            }
            ["listen", local, ref who @ ..] => {
                self.listening
                    .extend(listener(local, who.first().copied().unwrap_or_default()));
            }
            ["listen-hex", local] => self.listening.extend(hex_listener(local)),
            [name, value] => _ = self.values.insert(name.to_owned(), value.to_owned()),
            _ => {}
        }
    }

    /// What a tool said of what it was asked.
    fn raw(&mut self, of: &str, asked: &[&str], said: &[&str]) {
        let words = said
            .iter()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        match of {
            // Below its title, `df` has a line for each path.
            "disks" => {
                let disks = words.skip(1).map(|words| disk(&words));
                let paths = asked.iter().map(|path| (*path).to_owned());
                self.disks.extend(
                    paths
                        .zip(disks)
                        .filter_map(|(path, disk)| Some((path, disk?))),
                );
            }
            "users" => {
                let name = |line: &str| Some(line.split_once(':')?.0.to_owned());
                self.users.extend(said.iter().copied().filter_map(name));
            }
            // `getent` has several lines for each name, of which the first alone has three words. Where a name is
            // missing nobody knows which: all are told one by one then.
            "names" => {
                let first = |words: Vec<&str>| match words[..] {
                    [address, "STREAM", _] => Some(address.to_owned()),
                    _ => None,
                };
                let found: Vec<String> = words.filter_map(first).collect();
                if found.len() == asked.len() {
                    let names = asked.iter().map(|name| (*name).to_owned());
                    self.resolves.extend(names.zip(found));
                }
            }
            _ => {}
        }
    }

    /// A file, a folder or a link (`shown` as `a -> b`); its mode as `stat` has it, in hexadecimal, the kind in its
    /// upper bits.
    fn path(&mut self, path: &str, [mode, owner, size, shown]: [&str; 4]) {
        let Ok(bits) = u32::from_str_radix(mode, 16) else {
            return;
        };
        let (path, owner) = (path.to_owned(), owner.to_owned());
        let mode = format!("{:04o}", bits & 0o7777);
        match bits & 0o170_000 {
            0o040_000 => _ = self.dirs.insert(path, DirFact { mode, owner }),
            0o100_000 => {
                let text = String::new();
                self.sizes.insert(path.clone(), size.parse().unwrap_or(0));
                self.files.insert(path, FileFact { text, mode, owner });
            }
            0o120_000 => {
                let to = led_to(&path, shown);
                self.links.extend(to.map(|to| (path, to)));
            }
            _ => {}
        }
    }

    fn unit(&mut self, name: &str, [state, pid, restarts, enabled, running]: [&str; 5]) {
        let fact = UnitFact {
            active: matches!(state, "active" | "activating" | "reloading"),
            state: state.to_owned(),
            enabled: enabled == "enabled",
            pid: pid.parse().ok().filter(|pid| *pid > 0),
            restarts: restarts.parse().unwrap_or(0),
            running: Some(running.trim().to_owned()).filter(|r| !r.is_empty()),
            ..UnitFact::default()
        };
        self.units.insert(name.to_owned(), fact);
    }

    fn finish(mut self) -> Result<HostFacts, FactsError> {
        for unit in self.units.values_mut() {
            if let Some((uptime, memory)) = unit.pid.and_then(|pid| self.processes.get(&pid)) {
                unit.uptime_s = Some(*uptime);
                unit.memory_mb = Some(*memory);
            }
        }
        let arch = self.arch()?;
        let swappiness = self.values.get("swappiness").and_then(|v| v.parse().ok());
        let number = |name: &str| self.values.get(name).and_then(|v| v.parse::<i64>().ok());
        let text = |name: &str| self.values.get(name).cloned().unwrap_or_default();
        let missing = |name: &str| FactsError::Torn(format!("no {name}"));
        Ok(HostFacts {
            hostname: text("hostname"),
            machine_id: text("machine"),
            arch,
            os: text("os"),
            memory_mb: number("memory")
                .ok_or_else(|| missing("memory"))?
                .unsigned_abs()
                / 1024,
            cpus: number("cpus")
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(1),
            time: number("time").ok_or_else(|| missing("time"))?,
            user: text("user"),
            systemd: self.values.contains_key("systemd"),
            looks_up: self.values.contains_key("looks-up"),
            record: self.record()?,
            disks: self.disks,
            users: self.users,
            files: self.files,
            dirs: self.dirs,
            links: self.links,
            store: self.store,
            used: self.used,
            damaged: BTreeMap::new(),
            markers: self.markers,
            units: self.units,
            listening: self.listening,
            resolves: self.resolves,
            swappiness,
        })
    }

    fn record(&self) -> Result<Option<Record>, FactsError> {
        let path = self.values.get("record-path");
        let file = path.and_then(|path| self.files.get(path));
        file.map(|file| read_record(&file.text)).transpose()
    }

    /// The architecture of the programs: a 32-bit Raspberry Pi OS runs on a 64-bit kernel.
    fn arch(&self) -> Result<Arch, FactsError> {
        let (machine, bits, debian) = &self.kernel;
        // Debian's Java does not run there, and Raspberry Pi OS calls it armhf all the same.
        if machine.starts_with("armv6") {
            return Err(FactsError::Arch(machine.clone()));
        }
        if !debian.is_empty() {
            return Arch::from_debian(debian).ok_or_else(|| FactsError::Arch(debian.clone()));
        }
        let userland = if machine == "aarch64" && bits == "32" {
            "armv7l"
        } else {
            machine
        };
        Arch::from_uname(userland).ok_or_else(|| FactsError::Arch(machine.clone()))
    }
}

/// Where a link leads, by `a -> b`; some put quotes around both, whatever they are told.
fn led_to(path: &str, shown: &str) -> Option<String> {
    let (from, to) = shown.split_once(" -> ")?;
    let plain = if from == path {
        to
    } else {
        to.trim_matches('\'')
    };
    Some(plain.to_owned())
}

/// A line of `df -Pk`.
fn disk(words: &[&str]) -> Option<Disk> {
    let [_, total, _, free, ..] = words else {
        return None;
    };
    let mb = |kb: &str| Some(kb.parse::<u64>().ok()? / 1024);
    Some(Disk {
        total_mb: mb(total)?,
        free_mb: mb(free)?,
    })
}

/// Reads a record.
///
/// # Errors
/// When it is none, or of a newer format.
pub(crate) fn read_record(text: &str) -> Result<Record, FactsError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let wrong = |error: serde_json::Error| FactsError::Record(error.to_string());
    let format: Format = serde_json::from_str(text).map_err(wrong)?;
    if format.format > RECORD_FORMAT {
        return Err(FactsError::Newer(format.format));
    }
    serde_json::from_str(text).map_err(wrong)
}

/// The lines of a file as one text; its size tells whether the last line ended.
fn file_text(lines: &[&str], size: usize) -> String {
    let mut text = lines.join("\n");
    if !lines.is_empty() && size > text.len() {
        text.push('\n');
    }
    text
}

/// `127.0.0.1:22` and `users:(("sshd",pid=1,fd=3))`.
fn listener(local: &str, who: &str) -> Option<Listener> {
    let (address, port) = local.rsplit_once(':')?;
    let process = who.split('"').nth(1).map(str::to_owned);
    let digits = |t: &str| {
        t.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    let pid = who
        .split_once("pid=")
        .and_then(|(_, rest)| digits(rest).parse().ok());
    let address = address
        .trim_matches(['[', ']'])
        .split('%')
        .next()?
        .to_owned();
    Some(Listener {
        address,
        port: port.parse().ok()?,
        pid,
        process,
    })
}

/// `0100007F:0016`, as `/proc/net/tcp` has it.
fn hex_listener(local: &str) -> Option<Listener> {
    let (address, port) = local.split_once(':')?;
    let address = match u32::from_str_radix(address, 16) {
        Ok(v4) if address.len() == 8 => std::net::Ipv4Addr::from(v4.swap_bytes()).to_string(),
        _ => "*".to_owned(),
    };
    Some(Listener {
        address,
        port: u16::from_str_radix(port, 16).ok()?,
        pid: None,
        process: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_architecture_is_that_of_the_programs() {
        for (machine, bits, debian, wanted) in [
            ("x86_64", "64", "amd64", Some(Arch::X86_64)),
            ("aarch64", "64", "arm64", Some(Arch::Aarch64)),
            // A 32-bit Raspberry Pi OS on the 64-bit kernel that it boots by itself.
            ("aarch64", "32", "armhf", Some(Arch::Armhf)),
            ("aarch64", "32", "", Some(Arch::Armhf)),
            ("armv7l", "32", "armhf", Some(Arch::Armhf)),
            ("armv6l", "32", "armhf", None),
            ("riscv64", "64", "riscv64", None),
            ("mips", "32", "", None),
        ] {
            let kernel = (machine.to_owned(), bits.to_owned(), debian.to_owned());
            let reader = Reader {
                kernel,
                ..Reader::default()
            };
            assert_eq!(reader.arch().ok(), wanted, "{machine} {bits} {debian}");
        }
    }
}
