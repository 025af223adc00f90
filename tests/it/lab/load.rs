//! A steady load on a cluster while a test changes or breaks it, and the verdict on it afterwards.
//!
//! ```text
//! let mut load = Load::start(&laptop, &inventory, "roll");
//! load.mark_begin();
//! laptop.deploy(&changed).expect(0);   // the fault, or the change
//! load.mark_end();
//! let verdict = load.done();           // all that was acknowledged is there, under every leader
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sdtd::drill::Verdict;
use sdtd::drill::record::{Entry, Header};

use super::laptop::{Laptop, Ran, Running, text};

/// Messages a second, over all partitions.
const RATE: &str = "200";
const PARTITIONS: &str = "6";
/// How many messages each partition has acknowledged before, during and after.
const LEAST: usize = 20;
/// How long that may take.
const LIMIT: Duration = Duration::from_secs(150);
/// How long a load may take to end: what is on its way is waited for.
const END: u64 = 200;

/// A load under way, as a process of its own on the operator's machine.
pub struct Load<'a> {
    laptop: &'a Laptop,
    /// The inventory, as it is by now.
    of: PathBuf,
    record: PathBuf,
    /// How far it was read, and what was found: partitions and times of acknowledgements.
    place: u64,
    partitions: i32,
    acks: Vec<(i32, u64)>,
    running: Option<Running>,
    from: Option<u64>,
    to: Option<u64>,
    stalls: bool,
}

/// How long writes pause on a machine that does nothing else, in milliseconds: where others take over from one that
/// stops in order; and where one died, or is the only one: `zookeeper.session.timeout.ms`.
pub const ROLL: u64 = 5_000;
pub const SESSION: u64 = 18_000;

/// How many times as long a pause may be before it is a failure: others may build on the same machine.
/// `SDTD_LAB_SLACK=1` takes the bounds as they are.
pub fn slack() -> u64 {
    let own = std::env::var("SDTD_LAB_SLACK");
    own.map_or(3, |own| own.parse().expect("SDTD_LAB_SLACK is a number"))
}

/// Writes paused no longer than they may, in milliseconds.
pub fn expect_within(pause: u64, limit: u64) {
    let most = slack() * limit;
    assert!(pause <= most, "writes paused {pause} ms, of {most}");
}

/// A time without any acknowledgement on a partition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pause {
    /// How long, in milliseconds.
    pub ms: u64,
    /// On which partition.
    pub partition: i32,
    /// How long after the beginning of the fault it began, in milliseconds.
    pub after: u64,
}

/// The clock of the load: milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    u64::try_from(since.as_millis()).expect("a time")
}

/// The same inventory, on which drills are allowed.
fn allowing(laptop: &Laptop, inventory: &Path) -> PathBuf {
    let own = std::fs::read_to_string(inventory).expect("an inventory");
    let name = inventory.file_name().expect("a name").to_string_lossy();
    let word = "drills: allowed\n";
    let more = if own.contains(word) { "" } else { word };
    laptop.write(&format!("drill-{name}"), &format!("{more}{own}"))
}

impl<'a> Load<'a> {
    /// Begins a load on a topic of its own, and waits until each partition has acknowledged some of it.
    pub fn start(laptop: &'a Laptop, inventory: &Path, topic: &str) -> Self {
        let (of, inventory) = (inventory.to_owned(), allowing(laptop, inventory));
        let record = laptop.path(&format!("{topic}.record"));
        let words = ["drill", "load", text(&inventory), "--topic", topic];
        let how = ["--rate", RATE, "--partitions", PARTITIONS];
        let kept = ["--record", text(&record)];
        let mut command = laptop.sdtd(&[&words[..], &how, &kept].concat());
        let running = Running::start(&mut command);
        let mut load = Self {
            laptop,
            of,
            record,
            place: 0,
            partitions: 0,
            acks: Vec::new(),
            running: Some(running),
            from: None,
            to: None,
            stalls: false,
        };
        load.goes_on(0);
        load
    }

    /// What comes now is the fault.
    pub fn mark_begin(&mut self) {
        self.from = Some(now());
    }

    /// The fault is over, and healing may begin.
    pub fn mark_end(&mut self) {
        self.to = Some(now());
    }

    /// The fault stops writes: while it lasts, none need be acknowledged.
    #[allow(dead_code, reason = "for cases of the lab")]
    pub fn stalls(&mut self) {
        self.stalls = true;
    }

    /// Waits until each partition has acknowledged enough since a moment.
    pub fn goes_on(&mut self, since: u64) {
        let began = Instant::now();
        while self.acked(since) < LEAST {
            let over = self.running.as_mut().is_none_or(Running::is_over);
            if over || began.elapsed() > LIMIT {
                let ran = self.running.take().map(|running| {
                    let until = running.age().as_secs() + END;
                    running.wait(until)
                });
                let said = ran.map(|ran| ran.all()).unwrap_or_default();
                panic!("the load does not go on; it said: {said}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// How many messages were acknowledged since a moment, on the partition with the fewest.
    pub fn acked(&mut self, since: u64) -> usize {
        self.read_on();
        let partitions = 0..self.partitions;
        let count = |p: i32| {
            self.acks
                .iter()
                .filter(move |(of, at)| *of == p && *at >= since)
        };
        let counts = partitions.map(|p| count(p).count());
        counts.min().unwrap_or_default()
    }

    /// Reads what has come to the record since the last time: it may have grown to many megabytes.
    fn read_on(&mut self) {
        let Ok(mut file) = File::open(&self.record) else {
            return;
        };
        file.seek(SeekFrom::Start(self.place)).expect("a place");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("the record");
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        for line in text[..whole].lines() {
            if self.partitions == 0 {
                let header: Header = serde_json::from_str(line).expect("a head");
                self.partitions = header.partitions;
            } else if let Ok(Entry::Ack { p, at, .. }) = serde_json::from_str(line) {
                self.acks.push((p, at));
            }
        }
        self.place += u64::try_from(whole).expect("a length");
    }

    /// The longest time in which a partition acknowledged nothing, of the time of the fault.
    pub fn pause(&mut self) -> Pause {
        self.goes_on(self.to.unwrap_or_default());
        let (from, to) = (self.from.unwrap_or_default(), self.to.unwrap_or_default());
        let (mut longest, mut last) = (Pause::default(), BTreeMap::new());
        for (partition, at) in &self.acks {
            let since = last.insert(*partition, *at).unwrap_or(*at);
            let ms = at.saturating_sub(since);
            // One that was under way when it began or ended counts whole.
            if *at >= from && since <= to && ms > longest.ms {
                longest = Pause {
                    ms,
                    partition: *partition,
                    after: since.saturating_sub(from),
                };
            }
        }
        longest
    }

    /// The verdict on what was acknowledged up to now, which must be good; the load goes on meanwhile.
    pub fn so_far(&mut self) -> Verdict {
        self.goes_on(self.to.unwrap_or_default());
        verdict(&self.check(&self.record, &[]).expect(0))
    }

    /// Waits until it goes on after the fault, ends the load, and gives its record.
    pub fn stop(&mut self) -> PathBuf {
        self.goes_on(self.to.unwrap_or_default());
        let running = self.running.take().expect("a load under way");
        let pid = running.pid().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(
            told.is_ok_and(|s| s.success()),
            "the load was not told to end"
        );
        let until = running.age().as_secs() + END;
        running.wait(until).expect(0);
        self.record.clone()
    }

    /// `drill check` on a record of this load.
    pub fn check(&self, record: &Path, more: &[&str]) -> Ran {
        let least = LEAST.to_string();
        let inventory = allowing(self.laptop, &self.of);
        let words = ["drill", "check", text(&inventory), "--json"];
        let on = ["--record", text(record), "--least", &least];
        let (from, to) = (self.from.unwrap_or_default(), self.to.unwrap_or_default());
        let (from, to) = (from.to_string(), to.to_string());
        let mut words = [&words[..], &on, more].concat();
        if self.from.is_some() && self.to.is_some() {
            words.extend(["--from", &from, "--to", &to]);
        }
        if self.stalls {
            words.push("--stalls");
        }
        self.laptop.run(&words)
    }

    /// Ends the load; the verdict on it, which must be good.
    #[allow(dead_code, reason = "for cases of the lab")]
    pub fn done(mut self) -> Verdict {
        let record = self.stop();
        let ran = self.check(&record, &[]).expect(0);
        verdict(&ran)
    }
}

/// What a check printed.
pub fn verdict(ran: &Ran) -> Verdict {
    serde_json::from_str(&ran.stdout).expect("a verdict")
}
