//! What hosts are given for a run, and how it is taken from them again: a script on each that waits for its end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Fan;
use super::answer::{Answer, feeds, line};
use crate::exec::Executor;
use crate::exec::script::Places;
use crate::facts::quote;
use crate::id::HostName;
use crate::transport::Talk;

/// Whoever takes longer to answer is left out.
const WITHIN: Duration = Duration::from_secs(15);
/// A key is let in at least so long,
const LASTS: u64 = 600;
/// and so much longer that all of the packages can be sent at so many bytes a second.
const SLOWEST: u64 = 200_000;

/// What hosts hold while packages are passed on.
#[derive(Default)]
pub(super) struct Held {
    talks: Mutex<Vec<Talk>>,
    answers: BTreeMap<HostName, Answer>,
    /// Who is fed by whom, row by row.
    feeds: Vec<BTreeMap<HostName, HostName>>,
}

impl Held {
    /// Who feeds a host of a row; none: this machine.
    pub(super) fn before(&self, row: usize, host: &HostName) -> Option<&HostName> {
        self.feeds.get(row)?.get(host)
    }

    pub(super) fn answer(&self, host: &HostName) -> Option<&Answer> {
        self.answers.get(host)
    }

    /// Lets every host go: it gives back what it was given.
    pub(super) async fn close(&self) {
        // Held until all is over: who comes second waits too.
        let mut talks = self.talks.lock().await;
        let all: JoinSet<()> = talks.drain(..).map(Talk::close).collect();
        all.join_all().await;
    }
}

impl Fan {
    /// Asks all hosts of the rows, and gives them what they need; done once.
    pub(super) async fn held(&self, executor: &Executor) -> &Held {
        self.held.get_or_init(|| self.hold(executor)).await
    }

    async fn hold(&self, executor: &Executor) -> Held {
        let Some(pair) = Pair::make().await else {
            return Held::default();
        };
        let mut heard = self.ask(executor).await;
        let answers: BTreeMap<HostName, Answer> = heard
            .iter()
            .map(|(host, (_, answer))| (host.clone(), answer.clone()))
            .collect();
        let bad = self.bad_parts(executor, &answers).await;
        let mut feeds = feeds(&self.rows, &answers);
        let mut tasks = JoinSet::new();
        for (host, answer) in &answers {
            let Some((talk, _)) = heard.remove(host) else {
                continue;
            };
            let drops = bad.get(host).into_iter().flatten();
            let mut text: String = drops.map(|sum| format!("drop {sum}\n")).collect();
            text.extend(pair.private.lines().map(|line| format!("key {line}\n")));
            let line = self.line(executor, (host, answer), (&answers, &feeds), &pair.public);
            text.extend(line.map(|line| format!("line {line}\n")));
            text.push_str("go\n");
            let host = host.clone();
            tasks.spawn(async move { (host, give(talk, &text).await) });
        }
        let mut serving = BTreeSet::new();
        let mut talks = Vec::new();
        for (host, given) in tasks.join_all().await {
            let Some((talk, serves)) = given else {
                continue;
            };
            serving.extend(serves.then_some(host));
            talks.push(talk);
        }
        for row in &mut feeds {
            row.retain(|_, before| serving.contains(before));
        }
        Held {
            talks: Mutex::new(talks),
            answers,
            feeds,
        }
    }

    /// Starts the script on all hosts at once and hears their answers.
    async fn ask(&self, executor: &Executor) -> BTreeMap<HostName, (Talk, Answer)> {
        let bytes: u64 = self.rows.iter().map(|row| row.size).sum();
        let lasts = LASTS + bytes / SLOWEST;
        let mut tasks = JoinSet::new();
        for host in self.places.keys() {
            let Some(places) = executor.places.get(host) else {
                continue;
            };
            let script = self.script(host, places, lasts);
            let (host, fleet) = (host.clone(), executor.prober.fleet.clone());
            tasks.spawn(async move {
                let remote = fleet.get(&host)?;
                let asked = async {
                    let mut talk = remote
                        .talk(&script, Duration::from_secs(lasts))
                        .await
                        .ok()??;
                    let mut answer = Answer::default();
                    while !answer.take(&talk.hear().await.ok()??) {}
                    Some((talk, answer))
                };
                Some((host, timeout(WITHIN, asked).await.ok()??))
            });
        }
        tasks.join_all().await.into_iter().flatten().collect()
    }

    fn script(&self, host: &HostName, places: &Places, lasts: u64) -> String {
        let rows = self.rows.iter().filter(|row| row.hosts.contains(host));
        let sums: Vec<&str> = rows.map(|row| row.sha256.as_str()).collect();
        let own = [
            ("state", places.state.as_str()),
            ("incoming", &places.incoming),
            ("cluster", &self.cluster),
            ("run", &self.run),
            ("lasts", &lasts.to_string()),
            ("sums", &sums.join(" ")),
        ];
        let words = own.map(|(name, value)| format!("{name}={}\n", quote(value)));
        let (keys, hold) = (include_str!("keys.sh"), include_str!("hold.sh"));
        format!("{}{keys}{hold}", words.concat())
    }

    /// The line by which a host lets its children in, where it has some.
    fn line(
        &self,
        executor: &Executor,
        (host, answer): (&HostName, &Answer),
        (answers, feeds): (&BTreeMap<HostName, Answer>, &[BTreeMap<HostName, HostName>]),
        public: &str,
    ) -> Option<String> {
        let of_host = |(child, before): (&HostName, &HostName)| {
            (before == host).then(|| answers.get(child)).flatten()
        };
        let children: Vec<&Answer> = feeds.iter().flatten().filter_map(of_host).collect();
        if children.is_empty() || !answer.serves {
            return None;
        }
        let (address, _) = self.places.get(host)?;
        let incoming = &executor.places.get(host)?.incoming;
        let run = (self.cluster.as_str(), self.run.as_str());
        line((address, incoming), &children, public, run)
    }

    /// What hosts have of the packages and what is not as it should be: it would be passed on.
    async fn bad_parts(
        &self,
        executor: &Executor,
        answers: &BTreeMap<HostName, Answer>,
    ) -> BTreeMap<HostName, Vec<String>> {
        let mut bad: BTreeMap<HostName, Vec<String>> = BTreeMap::new();
        for row in &self.rows {
            let parts = answers
                .iter()
                .filter_map(|(host, answer)| Some((host, answer.parts.get(&row.sha256)?)));
            let sizes: BTreeSet<u64> = parts.clone().map(|(_, (size, _))| *size).collect();
            let Some(file) = executor.packages.get(&row.sha256).cloned() else {
                continue;
            };
            if sizes.is_empty() {
                continue;
            }
            let sums = tokio::task::spawn_blocking(move || prefixes(&file, &sizes)).await;
            let sums = sums.ok().and_then(Result::ok).unwrap_or_default();
            for (host, (size, sum)) in parts {
                if sums.get(size) != Some(sum) {
                    bad.entry(host.clone())
                        .or_default()
                        .push(row.sha256.clone());
                }
            }
        }
        bad
    }
}

/// Tells a host what it is to do; whether it lets others in.
async fn give(mut talk: Talk, text: &str) -> Option<(Talk, bool)> {
    let given = async {
        talk.say(text).await.ok()?;
        let mut serves = false;
        loop {
            match talk.hear().await.ok()??.as_str() {
                "@fan serving" => serves = true,
                "@fan ready" => return Some(serves),
                _ => {}
            }
        }
    };
    let serves = timeout(WITHIN, given).await.ok()??;
    Some((talk, serves))
}

/// The SHA-256 of the first bytes of a file, for each of these numbers of bytes that it has.
fn prefixes(file: &Path, sizes: &BTreeSet<u64>) -> io::Result<BTreeMap<u64, String>> {
    let mut file = io::BufReader::new(std::fs::File::open(file)?);
    let (mut hash, mut at, mut sums) = (Sha256::new(), 0, BTreeMap::new());
    for size in sizes {
        let n = io::copy(&mut file.by_ref().take(size - at), &mut Hashing(&mut hash))?;
        at += n;
        if at < *size {
            break;
        }
        sums.insert(*size, crate::digest::hex(&hash.clone().finalize()));
    }
    Ok(sums)
}

/// A hash that is written to.
struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pair of keys for one run, and never a user's own.
struct Pair {
    private: String,
    public: String,
}

impl Pair {
    /// Made by this machine's OpenSSH; none where it can't.
    async fn make() -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let file: PathBuf = folder.path().join("key");
        let mut keygen = tokio::process::Command::new("ssh-keygen");
        keygen
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(&file);
        keygen.stdin(std::process::Stdio::null());
        let made = keygen.output().await.ok()?;
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let public = read(&file.with_extension("pub"))?.trim().to_owned();
        made.status.success().then_some(Self {
            private: read(&file)?,
            public,
        })
    }
}
