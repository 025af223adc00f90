//! The record of a load: a file of one JSON object a line, of which nothing counts before it is on the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The format that is written and read here.
const FORMAT: u32 = 1;
/// How long an entry waits for others before the disk is asked to keep them.
const GROUP: Duration = Duration::from_millis(20);
/// How many entries are kept at once at the most.
const MOST: usize = 256;

/// The first line: what all messages of the load follow from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format.
    pub v: u32,
    /// What tells this load's messages from others.
    pub run: String,
    /// The topic.
    pub topic: String,
    /// How many partitions it had when the load began.
    pub partitions: i32,
    /// Messages a second.
    pub rate: u32,
    /// Bytes a message.
    pub size: usize,
    /// When it began, in milliseconds since 1970.
    pub began: u64,
}

impl Header {
    /// A header of the format written here.
    #[must_use]
    pub fn new(run: String, topic: String, partitions: i32, (rate, size): (u32, usize)) -> Self {
        Self {
            v: FORMAT,
            run,
            topic,
            partitions,
            rate,
            size,
            began: 0,
        }
    }
}

/// One thing that happened. Times are milliseconds since 1970; they never go back, whatever the clock does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "kebab-case")]
pub enum Entry {
    /// A message was acknowledged.
    Ack {
        /// Its partition.
        p: i32,
        /// Its offset; negative where the broker told only that it has the message already.
        o: i64,
        /// Its number.
        s: u64,
        /// When it was sent.
        sent: u64,
        /// When it was acknowledged.
        at: u64,
    },
    /// A message was given up. It may be there or not.
    Unsure {
        /// Its partition.
        p: i32,
        /// Its number.
        s: u64,
        /// When it was sent.
        sent: u64,
        /// When it was given up.
        at: u64,
        /// Why.
        why: String,
    },
    /// The reader that reads along saw a message of this run.
    Read {
        /// Its partition.
        p: i32,
        /// Its offset.
        o: i64,
        /// Its number; none when what stood there is no message of a drill.
        s: Option<u64>,
        /// When it was seen.
        at: u64,
    },
    /// The reader was told that its place is not there.
    Reset {
        /// When.
        at: u64,
        /// What it was told.
        why: String,
    },
    /// The load ended by itself or was told to.
    End {
        /// When it sent nothing more; messages on their way, and the reader, were waited for.
        at: u64,
    },
}

impl Entry {
    /// When it happened, in milliseconds since 1970.
    #[must_use]
    pub fn at(&self) -> u64 {
        match self {
            Self::Ack { at, .. }
            | Self::Unsure { at, .. }
            | Self::Read { at, .. }
            | Self::Reset { at, .. }
            | Self::End { at } => *at,
        }
    }
}

/// A whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its first line.
    pub header: Header,
    /// What happened, in order.
    pub entries: Vec<Entry>,
}

impl Record {
    /// Reads a record. A last line that was cut off is left out: what it told never counted.
    ///
    /// # Errors
    /// When the file can't be read, or any other line makes no sense.
    pub fn load(path: &Path) -> io::Result<Self> {
        let wrong = |line: usize, what: &str| {
            let text = format!("line {line}: {what}");
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let mut file = BufReader::new(File::open(path)?);
        let mut line = String::new();
        file.read_line(&mut line)?;
        let header: Header =
            serde_json::from_str(&line).map_err(|e| wrong(1, &format!("no head: {e}")))?;
        if header.v != FORMAT {
            return Err(wrong(1, &format!("format {} is not known", header.v)));
        }
        let mut entries = Vec::new();
        for number in 2.. {
            line.clear();
            if file.read_line(&mut line)? == 0 || !line.ends_with('\n') {
                break;
            }
            let entry = serde_json::from_str(&line);
            entries.push(entry.map_err(|e| wrong(number, &e.to_string()))?);
        }
        Ok(Self { header, entries })
    }

    /// When nothing more was sent, in milliseconds since 1970; of a load that was killed, when the last thing happened.
    #[must_use]
    pub fn ended(&self) -> u64 {
        let end = self.entries.iter().rev();
        let end = end.filter(|entry| matches!(entry, Entry::End { .. }));
        let last = || self.entries.iter().map(Entry::at).max();
        let ended = end.map(Entry::at).next().or_else(last);
        ended.unwrap_or_default().max(self.header.began)
    }
}

/// What is on the disk so far; shared with those who wait for it.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Acknowledgements.
    pub acked: Arc<AtomicU64>,
    /// Messages given up.
    pub unsure: Arc<AtomicU64>,
    /// Messages that the reader saw.
    pub read: Arc<AtomicU64>,
    /// Whether the record can't be written any more.
    pub broken: Arc<AtomicBool>,
}

/// Makes the file with its first line, on the disk.
///
/// # Errors
/// When there is such a file already, or it can't be written.
pub fn create(path: &Path, header: &Header) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(&line(header)?)?;
    file.sync_all()?;
    // The name as well: a record that is gone after a power cut would prove nothing.
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file)
}

/// Keeps entries as they come, in small groups, until nobody is left who could send one.
///
/// # Errors
/// When the file can't be written; `kept.broken` says so to the others at once.
pub fn keep(mut file: File, entries: &Receiver<Entry>, kept: &Kept) -> io::Result<()> {
    let written = (|| {
        while let Some(group) = group(entries) {
            let mut bytes = Vec::new();
            for entry in &group {
                bytes.extend(line(entry)?);
            }
            file.write_all(&bytes)?;
            file.sync_data()?;
            count(&group, kept);
        }
        Ok(())
    })();
    kept.broken.store(written.is_err(), Ordering::SeqCst);
    written
}

fn line(what: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(what)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The next entries that are kept together; none when there will be no more.
fn group(entries: &Receiver<Entry>) -> Option<Vec<Entry>> {
    let mut group = vec![entries.recv().ok()?];
    let until = std::time::Instant::now() + GROUP;
    while group.len() < MOST {
        match entries.recv_timeout(until.saturating_duration_since(std::time::Instant::now())) {
            Ok(entry) => group.push(entry),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    Some(group)
}

fn count(group: &[Entry], kept: &Kept) {
    let add = |to: &AtomicU64, is: fn(&Entry) -> bool| {
        let found = group.iter().filter(|entry| is(entry)).count();
        to.fetch_add(u64::try_from(found).unwrap_or_default(), Ordering::SeqCst);
    };
    add(&kept.acked, |e| matches!(e, Entry::Ack { .. }));
    add(&kept.unsure, |e| matches!(e, Entry::Unsure { .. }));
    add(&kept.read, |e| matches!(e, Entry::Read { s: Some(_), .. }));
}
