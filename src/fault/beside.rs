//! The load beside a drill: a process of its own, and its record as it grows.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::own::{Own, last};
use crate::drill::record::{Entry, Header};
use crate::event::Problem;
use crate::exec::Stop;

/// Messages a second, over all partitions.
const RATE: &str = "200";
const PARTITIONS: &str = "6";
/// Where something shall be moved: more partitions, and bytes of a message.
const MANY: &str = "12";
const LARGE: &str = "5000";
/// How long it may take until it goes on.
const GOES_ON: Duration = Duration::from_secs(150);
/// How long a load may take to end: what is on its way is waited for.
const END: Duration = Duration::from_secs(200);
const PAUSE: Duration = Duration::from_millis(200);

/// What a record told so far.
#[derive(Debug, Default)]
pub struct Tail {
    place: u64,
    partitions: i32,
    acks: Vec<(i32, u64)>,
}

impl Tail {
    /// Reads what has come since the last time: a record grows to many megabytes.
    pub fn read_on(&mut self, record: &Path) -> std::io::Result<()> {
        let mut file = match File::open(record) {
            // The load makes it when it begins.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        file.seek(SeekFrom::Start(self.place))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        for line in bytes[..whole].split(|b| *b == b'\n') {
            if self.partitions > 0 {
                if let Ok(Entry::Ack { p, at, .. }) = serde_json::from_slice(line) {
                    self.acks.push((p, at));
                }
            } else if let Ok(header) = serde_json::from_slice::<Header>(line) {
                self.partitions = header.partitions;
            }
        }
        self.place += u64::try_from(whole).unwrap_or_default();
        Ok(())
    }

    /// How many messages were acknowledged since a moment, on the partition with the fewest.
    pub fn acked(&self, since: u64) -> u64 {
        let count = |p: i32| {
            let of = |ack: &&(i32, u64)| ack.0 == p && ack.1 >= since;
            self.acks.iter().filter(of).count()
        };
        let least = (0..self.partitions).map(count).min();
        u64::try_from(least.unwrap_or_default()).unwrap_or_default()
    }

    /// The longest time since a moment in which one partition had nothing acknowledged, in milliseconds.
    pub fn pause(&self, since: u64) -> Option<u64> {
        let of = |p: i32| {
            let acks = self.acks.iter().filter(move |ack| ack.0 == p);
            let mut times: Vec<u64> = acks.map(|ack| ack.1).collect();
            times.sort_unstable();
            let gaps = times.windows(2).filter(|pair| pair[1] >= since);
            gaps.map(|pair| pair[1] - pair[0]).max()
        };
        (0..self.partitions).filter_map(of).max()
    }
}

/// What a load's topic is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As it should be.
    Usual,
    /// One partition that may lose what it acknowledged.
    Loses,
    /// So many copies, of messages large enough that it takes a moment to make another.
    Copies(usize),
}

impl Kind {
    fn words(self) -> Vec<String> {
        match self {
            Self::Usual => [PARTITIONS].map(str::to_owned).into(),
            Self::Loses => ["1", "--may-lose"].map(str::to_owned).into(),
            Self::Copies(copies) => {
                let copies = copies.to_string();
                let words = [MANY, "--size", LARGE, "--replication", &copies];
                words.map(str::to_owned).into()
            }
        }
    }
}

/// A load under way.
pub struct Beside {
    child: Child,
    record: PathBuf,
    said: PathBuf,
    tail: Tail,
}

impl Beside {
    /// Begins a load on a topic, kept in a record.
    ///
    /// # Errors
    /// When the program can't be started.
    pub fn start(own: &Own, topic: &str, record: &Path, kind: Kind) -> Result<Self, Problem> {
        let said = record.with_extension("said");
        let fixed = ["drill", "load", "--rate", RATE, "--partitions"].map(str::to_owned);
        let all = fixed.into_iter().chain(kind.words());
        let mut words: Vec<std::ffi::OsString> = all.map(Into::into).collect();
        words.extend(["--topic".into(), topic.into(), "--record".into()]);
        words.extend([record.into(), own.inventory.clone().into()]);
        Ok(Self {
            child: own.start(&words, &said)?,
            record: record.to_owned(),
            said,
            tail: Tail::default(),
        })
    }

    /// How many messages were acknowledged since a moment, on the partition with the fewest.
    ///
    /// # Errors
    /// When the load is over, or its record can't be read.
    pub fn acked(&mut self, since: u64) -> Result<u64, Problem> {
        let place = self.record.display().to_string();
        let read = self.tail.read_on(&self.record);
        read.map_err(|e| Problem::new(format!("{place}: {e}")))?;
        if let Ok(Some(status)) = self.child.try_wait() {
            let cause = format!("the load ended too early ({status}): {}", last(&self.said));
            return Err(Problem::new(cause));
        }
        Ok(self.tail.acked(since))
    }

    /// Waits until each partition has acknowledged enough since a moment.
    ///
    /// # Errors
    /// When it does not come to this, or the run is asked to end.
    pub async fn goes_on(&mut self, since: u64, least: u64, stop: &Stop) -> Result<(), Problem> {
        let began = Instant::now();
        loop {
            let acked = self.acked(since)?;
            if acked >= least {
                return Ok(());
            }
            if stop.is_asked() {
                return Err(Problem::new("interrupted"));
            }
            if began.elapsed() > GOES_ON {
                let seconds = GOES_ON.as_secs();
                let cause = format!(
                    "writes do not go on: within {seconds} s a partition had {acked} messages acknowledged, {least} are needed"
                );
                return Err(Problem::new(cause));
            }
            sleep(PAUSE).await;
        }
    }

    /// The longest time since a moment in which one partition had nothing acknowledged, in milliseconds.
    pub fn pause(&self, since: u64) -> Option<u64> {
        self.tail.pause(since)
    }

    /// Ends the load, what is on its way being waited for.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn end(&mut self) -> Result<(), Problem> {
        // Its input ends: that tells it.
        drop(self.child.stdin.take());
        match timeout(END, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                let said = last(&self.said);
                Err(Problem::new(format!(
                    "the load ended with {status}: {said}"
                )))
            }
            Ok(Err(error)) => Err(Problem::new(format!("the load: {error}"))),
            Err(_) => {
                // It is of no more use, and shall not go on behind the drill.
                let _ = self.child.kill().await;
                let cause = format!("the load did not end within {} s", END.as_secs());
                Err(Problem::new(cause))
            }
        }
    }

    /// Takes away what it left on this machine but is of no more use.
    pub fn forget(&self) {
        for path in [&self.record, &self.said] {
            // What can't be taken away harms nobody.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_growing_record_is_read_to_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let mut tail = Tail::default();
        tail.read_on(&path).unwrap();
        assert_eq!(tail.acked(0), 0, "there is no record yet");
        let header = Header::new("r".to_owned(), "t".to_owned(), 2, (10, 100));
        let mut file = crate::drill::record::create(&path, &header).unwrap();
        let ack = |p: i32, at: u64| {
            let entry = Entry::Ack {
                p,
                o: 0,
                s: 0,
                sent: 0,
                at,
            };
            serde_json::to_string(&entry).unwrap()
        };
        write!(file, "{}\n{}\n{}", ack(0, 5), ack(1, 6), &ack(1, 7)[..9]).unwrap();
        tail.read_on(&path).unwrap();
        assert_eq!((tail.acked(0), tail.acked(6)), (1, 0));
        write!(file, "{}\n{}\n", &ack(1, 7)[9..], ack(0, 8)).unwrap();
        tail.read_on(&path).unwrap();
        assert_eq!((tail.acked(0), tail.acked(6)), (2, 1));
        assert_eq!(
            (tail.pause(0), tail.pause(8), tail.pause(9)),
            (Some(3), Some(3), None)
        );
    }
}
