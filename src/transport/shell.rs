//! A host with a shell: every request is one script on its standard input.

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader};

use super::local::Local;
use super::process::{BoxRead, BoxWrite, Process};
use super::ssh::Ssh;
use super::talk::{READER, Talk};
use super::{BoxStream, HookAnswer, RemoteError, Shipment, StepAnswer};
use crate::exec::script::{Places, script};
use crate::facts::{FactsRequest, HostFacts, parse, quote};
use crate::plan::{Member, Step};

/// How a command gets to the host.
pub enum Channel {
    /// Over SSH.
    Ssh(Ssh),
    /// This machine.
    Local(Local),
}

/// How a command gets its rights.
#[derive(Clone, PartialEq, Eq)]
pub enum Become {
    /// It needs none.
    No,
    /// By sudo, without a password.
    Sudo,
    /// By sudo, with this password.
    Password(String),
}

/// A host with a shell.
pub struct Shell {
    /// How commands get there.
    pub channel: Channel,
    /// How they get their rights.
    pub rights: Become,
}

/// The longest that facts may take.
const FACTS_WITHIN: Duration = Duration::from_secs(30);
/// The most that a host may answer: more is a fault, not an answer.
const ANSWER_LIMIT: u64 = 16 << 20;
/// The line after which a script begins; what stands before it is a password that sudo did not want.
const BEGIN: &str = "@sdtd-begin";
/// Runs what follows as root: by sudo, unless the login is root's own (then there may be no sudo).
const AS_ROOT: &str = r#"sh -c 'while read -r k _ v _; do [ "$k" = Uid: ] && break; done </proc/self/status; [ "$v" = 0 ] && exec "$@"; exec sudo -n -- "$@"' sh"#;
/// The line with which a command tells how it ended.
const EXIT: &str = "@sdtd-exit ";
/// What `timeout` ends with.
const TIMED_OUT: i32 = 124;
/// How much of a package is read at once.
const CHUNK: usize = 256 << 10;

impl Shell {
    /// Starts a command with the rights it needs. `within` also ends it on the host's side, since a lost
    /// connection does not.
    async fn spawn(&self, command: &str, within: Duration) -> Result<Process, RemoteError> {
        let inner = format!("timeout -k 10 {} {command}", within.as_secs().max(1));
        let command = match &self.rights {
            Become::No => inner,
            Become::Sudo => format!("{AS_ROOT} {inner}"),
            Become::Password(_) => {
                let wait = format!(
                    "while IFS= read -r l; do [ \"$l\" = {BEGIN} ] && break; done; exec {inner}"
                );
                format!("sudo -S -p '' -- sh -c {}", quote(&wait))
            }
        };
        let mut process = match &self.channel {
            Channel::Ssh(ssh) => ssh.spawn(&command).await?,
            Channel::Local(local) => local.spawn(&command)?,
        };
        if let Become::Password(password) = &self.rights {
            let first = format!("{password}\n{BEGIN}\n");
            process
                .stdin
                .write_all(first.as_bytes())
                .await
                .map_err(lost)?;
        }
        Ok(process)
    }

    /// Runs a script and reads its answer line by line.
    async fn run(
        &self,
        text: &str,
        within: Duration,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Ended, RemoteError> {
        let work = async {
            let Process {
                mut stdin,
                stdout,
                stderr,
                end,
            } = self.spawn("sh -s", within).await?;
            let write = async {
                // A script that ends early closes its input: that is no failure of its own.
                let _ = stdin.write_all(text.as_bytes()).await;
                let _ = stdin.shutdown().await;
                drop(stdin);
            };
            let (_, out, complaint) =
                tokio::join!(write, read_lines(stdout, line), read_all(stderr));
            out.map_err(lost)?;
            Ok(Ended {
                code: end.await?,
                complaint: complaint.map_err(lost)?,
            })
        };
        tokio::time::timeout(within + Duration::from_secs(5), work)
            .await
            .unwrap_or(Err(RemoteError::TimedOut(within)))
    }

    /// See [`super::Remote::facts`].
    ///
    /// # Errors
    /// When the host can't be asked, or its answer can't be used.
    pub async fn facts(&self, request: &FactsRequest) -> Result<HostFacts, RemoteError> {
        let may_be_dead = match &self.channel {
            Channel::Ssh(ssh) => ssh.may_be_dead(),
            Channel::Local(_) => false,
        };
        match self.ask_facts(request).await {
            // They change nothing, so they can be asked for twice.
            Err(error) if may_be_dead && error.is_out_of_reach() => {
                self.reconnect().await?;
                self.ask_facts(request).await
            }
            answer => answer,
        }
    }

    async fn ask_facts(&self, request: &FactsRequest) -> Result<HostFacts, RemoteError> {
        let mut answer = String::new();
        let mut take = |line: &str| {
            answer.push_str(line);
            answer.push('\n');
        };
        let ended = self.run(&request.script(), FACTS_WITHIN, &mut take).await?;
        if answer.is_empty() {
            return Err(self.refusal(&ended));
        }
        Ok(parse(&answer)?)
    }

    /// Why nothing was answered.
    fn refusal(&self, ended: &Ended) -> RemoteError {
        let said = ended.complaint.trim().replace('\n', "; ");
        let by_sudo =
            said.contains("sudo") || said.contains("password") || said.contains("try again");
        if self.rights != Become::No && by_sudo {
            return RemoteError::Sudo(said);
        }
        RemoteError::Lost(format!("exit {}: {said}", ended.code.unwrap_or(-1)))
    }

    /// See [`super::Remote::apply`].
    ///
    /// # Errors
    /// When the connection is lost before the last step answered.
    pub async fn apply(
        &self,
        places: &Places,
        (first, steps): (usize, &[Step]),
        tell: &mut (dyn FnMut(usize, StepAnswer) + Send),
    ) -> Result<(), RemoteError> {
        let within = steps.iter().map(allowance).sum();
        let mut bad = None;
        let mut done = 0;
        let mut take = |line: &str| {
            let mut words = line.split(' ');
            if words.next() != Some("@sdtd") {
                return;
            }
            let number = words.next().and_then(|n| n.parse::<usize>().ok());
            match (number, words.next()) {
                (Some(n), Some("changed")) => tell(n, StepAnswer::Changed),
                (Some(n), Some("ok")) => tell(n, StepAnswer::Ok),
                (Some(n), Some(word)) => bad = Some((n, word.to_owned())),
                _ => return,
            }
            done += 1;
        };
        let ended = self
            .run(&script(places, first, steps), within, &mut take)
            .await?;
        let lines = || last_lines(&ended.complaint, 20);
        match bad {
            Some((n, word)) => tell(
                n,
                match word.as_str() {
                    "stale" => StepAnswer::Stale(lines()),
                    "resend" => StepAnswer::Resend(lines()),
                    "bring" => StepAnswer::Bring(lines()),
                    _ => StepAnswer::Failed(lines()),
                },
            ),
            None if done == steps.len() => {}
            None if done == 0 => return Err(self.refusal(&ended)),
            None => {
                return Err(RemoteError::Lost(format!(
                    "after step {done}: {}",
                    ended.complaint
                )));
            }
        }
        Ok(())
    }

    /// See [`super::Remote::send`].
    ///
    /// # Errors
    /// When the file can't be read or the connection is lost.
    pub async fn send(
        &self,
        places: &Places,
        shipment: Shipment<'_>,
        tell: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, RemoteError> {
        let part = quote(&places.arrival(shipment.sha256));
        // Written where it belongs, not at the end: what a broken connection still delivers late does no harm.
        let command = format!(
            "sh -c 'export LC_ALL=C; f=$1; mkdir -p \"${{f%/*}}\" && : >>\"$f\" && n=$(stat -c %s \"$f\") && echo @had $n && \
             exec dd of=\"$f\" bs=256k seek=$n oflag=seek_bytes conv=notrunc status=none' sh {part}"
        );
        let within = Duration::from_secs(60 + shipment.size / 50_000);
        let mut process = self.spawn(&command, within).await?;
        let mut stdout = BufReader::new(process.stdout);
        let Some(have) = had(&mut stdout).await.map_err(lost)? else {
            drop(process.stdin);
            let complaint = read_all(process.stderr).await.unwrap_or_default();
            return Err(self.unkept(&Ended {
                code: process.end.await?,
                complaint,
            }));
        };
        let have = have.min(shipment.size);
        let poured = pour(shipment.file, have..shipment.size, &mut process.stdin, tell).await;
        drop(process.stdin);
        let complaint = read_all(process.stderr).await.map_err(lost)?;
        match process.end.await? {
            Some(0) => poured.map_err(lost),
            code => Err(self.unkept(&Ended { code, complaint })),
        }
    }

    /// Why a package was not taken: in the host's own words, where it said something.
    fn unkept(&self, ended: &Ended) -> RemoteError {
        match self.refusal(ended) {
            RemoteError::Lost(_) if !ended.complaint.trim().is_empty() && ended.code.is_some() => {
                RemoteError::Unkept(last_lines(&ended.complaint, 3).join("; "))
            }
            other => other,
        }
    }

    /// See [`super::Remote::dial`].
    ///
    /// # Errors
    /// When nothing listens there or the connection is lost.
    pub async fn dial(&self, address: &str, port: u16) -> io::Result<BoxStream> {
        match &self.channel {
            Channel::Ssh(ssh) => ssh.dial(address, port).await,
            Channel::Local(local) => local.dial(address, port).await,
        }
    }

    /// See [`super::Remote::hook`].
    ///
    /// # Errors
    /// When the connection is lost or the hook takes too long.
    pub async fn hook(
        &self,
        member: &Member,
        hook: &str,
        within: Duration,
    ) -> Result<HookAnswer, RemoteError> {
        let mut text = String::new();
        for (key, value) in &member.env {
            text.push_str(&format!("export {key}={}\n", quote(value)));
        }
        let path = quote(&format!("{}/{hook}", member.hooks));
        let run = match &member.user {
            None => format!("{path} </dev/null\n"),
            Some(user) => {
                let user = quote(user);
                format!(
                    "setpriv --reuid={user} --regid=\"$(id -gn {user})\" --init-groups {path} </dev/null\n"
                )
            }
        };
        text.push_str(&run);
        text.push_str("echo \"@sdtd $?\"\n");
        let mut lines = Vec::new();
        let ended = self
            .run(&text, within, &mut |line| lines.push(line.to_owned()))
            .await?;
        let code = lines
            .pop()
            .and_then(|last| last.strip_prefix("@sdtd ")?.parse().ok());
        if code.is_none() {
            return Err(self.refusal(&ended));
        }
        lines.extend(last_lines(&ended.complaint, 5));
        Ok(HookAnswer { code, lines })
    }

    /// See [`super::Remote::lock`].
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn lock(
        &self,
        places: &Places,
        ask: &crate::lock::Ask,
    ) -> Result<crate::lock::Answer, RemoteError> {
        let mut answer = None;
        let mut take = |line: &str| answer = answer.take().or_else(|| crate::lock::parse(line));
        let ended = self
            .run(&crate::lock::script(places, ask), FACTS_WITHIN, &mut take)
            .await?;
        answer.ok_or_else(|| self.refusal(&ended))
    }

    /// See [`super::Remote::command`].
    ///
    /// # Errors
    /// When the connection is lost, sudo refuses, or it takes too long.
    pub async fn command(
        &self,
        script: &str,
        within: Duration,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Option<i32>, RemoteError> {
        // Its own word that it ended: sudo complains of other things too, and has exit codes of its own.
        let mut code = None;
        let mut take = |text: &str| match text.strip_prefix(EXIT) {
            Some(number) => code = number.parse().ok(),
            None => line(text),
        };
        let script = format!("{script}\necho \"{EXIT}$?\"\n");
        let ended = self.run(&script, within, &mut take).await?;
        match (code, ended.code) {
            (Some(code), _) => Ok(Some(code)),
            (None, Some(TIMED_OUT)) => Ok(Some(TIMED_OUT)),
            _ => Err(self.refusal(&ended)),
        }
    }

    /// See [`super::Remote::talk`].
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn talk(&self, script: &str, within: Duration) -> Result<Talk, RemoteError> {
        let process = self.spawn(READER, within).await?;
        Talk::begin(process, script).await
    }

    /// See [`super::Remote::tail`].
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn tail(
        &self,
        places: &Places,
        member: &Member,
        lines: usize,
    ) -> Result<Vec<String>, RemoteError> {
        let (log, unit) = (quote(&member.log), quote(&member.unit));
        let own = if places.pidfiles {
            format!(
                "tail -n {lines} {} 2>/dev/null\n",
                quote(&member.log.replace(".log", ".out"))
            )
        } else {
            format!("journalctl --no-pager -q -o cat -n {lines} -u {unit} 2>/dev/null\n")
        };
        let text = format!("tail -n {lines} {log} 2>/dev/null\n{own}");
        let mut found = Vec::new();
        self.run(&text, FACTS_WITHIN, &mut |line| found.push(line.to_owned()))
            .await?;
        Ok(found)
    }

    /// See [`super::Remote::reconnect`].
    ///
    /// # Errors
    /// When the host can't be reached.
    pub async fn reconnect(&self) -> Result<(), RemoteError> {
        match &self.channel {
            Channel::Ssh(ssh) => ssh.reconnect().await,
            Channel::Local(_) => Ok(()),
        }
    }

    /// Ends the connection.
    pub async fn close(self) {
        if let Channel::Ssh(ssh) = self.channel {
            ssh.close().await;
        }
    }
}

struct Ended {
    code: Option<i32>,
    complaint: String,
}

/// How much of a file a host has, by its first line that says so: a login may print lines of its own before.
async fn had(stream: &mut BufReader<BoxRead>) -> io::Result<Option<u64>> {
    let mut lines = stream.take(ANSWER_LIMIT).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(number) = line.strip_prefix("@had ") {
            return Ok(number.trim().parse().ok());
        }
    }
    Ok(None)
}

/// Sends these bytes of a file. Returns how many were sent.
async fn pour(
    file: &Path,
    bytes: Range<u64>,
    to: &mut BoxWrite,
    tell: &(dyn Fn(u64) + Send + Sync),
) -> io::Result<u64> {
    let mut file = tokio::fs::File::open(file).await?;
    file.seek(SeekFrom::Start(bytes.start)).await?;
    let mut file = file.take(bytes.end.saturating_sub(bytes.start));
    let mut sent = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = file.read(&mut chunk).await?;
        if n == 0 {
            break;
        }
        to.write_all(&chunk[..n]).await?;
        sent += n as u64;
        tell(bytes.start + sent);
    }
    to.shutdown().await?;
    Ok(sent)
}

fn lost(error: io::Error) -> RemoteError {
    RemoteError::Lost(error.to_string())
}

/// The longest a step may take: slow cards and large packages are ordinary, hanging is not.
fn allowance(step: &Step) -> Duration {
    Duration::from_secs(match step {
        Step::Package { size, .. } => 120 + size / 500_000,
        Step::Unit { within, .. } | Step::Once { within, .. } => within + 60,
        Step::Distribution { .. } => 1200,
        Step::Remove { .. } => 300,
        _ => 60,
    })
}

async fn read_lines(stream: BoxRead, line: &mut (dyn FnMut(&str) + Send)) -> io::Result<()> {
    let mut reader = BufReader::new(stream.take(ANSWER_LIMIT));
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).await? > 0 {
        // Only the end of the line: a carriage return before it may be part of a file's text.
        let text = String::from_utf8_lossy(&bytes);
        line(text.strip_suffix('\n').unwrap_or(&text));
        bytes.clear();
    }
    Ok(())
}

async fn read_all(stream: BoxRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    stream.take(ANSWER_LIMIT).read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn last_lines(text: &str, n: usize) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(n)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}
