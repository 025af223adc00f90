//! The load: made ready while the hosts are connected, then a process that needs nothing but the brokers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::super::driver::{brokers, client};
use super::super::{Client, Metadata, reach};
use super::produce::produce;
use super::reading::along;
use super::record::{self, Entry, Header, Kept};
use super::settings;
use crate::drill::{Load, LoadBegun, LoadSum, Loader};
use crate::driver::Call;
use crate::event::Problem;
use crate::exec::Stop;

/// How many copies a topic gets at the most when nothing is said.
const COPIES: usize = 3;
/// How long the reader may see nothing new before what it has not seen is left at that.
const CATCH_UP: Duration = Duration::from_secs(15);

/// The clock of a load: it begins at the machine's time and goes on evenly, also where that is set anew.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    epoch: u64,
}

impl Clock {
    /// It begins now.
    pub fn start() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let epoch = epoch.unwrap_or_default().as_millis();
        Self {
            began: Instant::now(),
            epoch: u64::try_from(epoch).unwrap_or_default(),
        }
    }

    /// Milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.epoch.saturating_add(self.ms())
    }

    /// Milliseconds since the load began.
    pub fn ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What the load's threads share.
#[derive(Clone)]
pub struct Shared {
    /// Where to begin.
    pub bootstrap: String,
    /// What the messages follow from.
    pub header: Header,
    /// The time.
    pub clock: Clock,
    /// What is on the disk.
    pub kept: Kept,
}

/// Reaches the brokers, makes the topic where it is not there, and looks whether it is fit for a drill.
///
/// # Errors
/// When a broker is out of reach from this machine, or the topic is not fit.
pub async fn prepare(call: Call<'_>, load: &Load) -> Result<Box<dyn Loader>, Problem> {
    reached(call).await?;
    let client = client(call);
    let metadata = client.metadata().await?;
    if metadata.topic(&load.topic).is_none() {
        make(&client, &metadata, load).await?;
    }
    let metadata = client.metadata_of(&[&load.topic]).await?;
    let topic = metadata.topic(&load.topic);
    let replicas = topic.and_then(super::super::Topic::replication);
    let partitions = topic.map_or(0, |topic| topic.partitions.len());
    let least = replicas.map_or(1, |(least, _)| least);
    let have = settings::in_force(&client, &load.topic).await?;
    let unfit = settings::unfit(&have, least);
    if !unfit.is_empty() && !load.may_lose {
        let cause = format!(
            "topic {} is of no use for a drill: {}",
            load.topic,
            unfit.join("; ")
        );
        return Err(Problem::new(cause).help("name a topic that is not there: it is made"));
    }
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
    let run = uuid::Uuid::new_v4().simple().to_string();
    let run = run.get(..12).unwrap_or(&run).to_owned();
    let header = Header::new(run, load.topic.clone(), partitions, (load.rate, load.size));
    let bootstrap = client.bootstrap();
    Ok(Box::new(Ready {
        load: load.clone(),
        header,
        bootstrap,
    }))
}

/// Every broker can be reached from this machine, as users' clients reach it.
///
/// # Errors
/// Names those that can't.
pub async fn reached(call: Call<'_>) -> Result<(), Problem> {
    let missing = reach::missing(brokers(call)).await;
    if missing.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let cause = format!("brokers do not answer this machine: {}", named.join(", "));
    Err(Problem::new(cause).help(
        "a drill reads and writes as users' clients do: run it where they can reach every broker, while all brokers run",
    ))
}

async fn make(client: &Client, metadata: &Metadata, load: &Load) -> Result<(), Problem> {
    let most = metadata.brokers.len().min(COPIES);
    let copies = i16::try_from(most).unwrap_or(1);
    let copies = load.replication.unwrap_or(copies);
    let mut topic = settings::topic(&load.topic, load.partitions, copies);
    if load.may_lose {
        topic.config.extend(settings::losing());
    }
    client.create_topics(&[topic], false).await?;
    let partitions = usize::try_from(load.partitions).unwrap_or_default();
    client.wait_for_topic(&load.topic, partitions).await?;
    Ok(())
}

/// A load that is ready to begin.
struct Ready {
    load: Load,
    header: Header,
    bootstrap: String,
}

#[async_trait]
impl Loader for Ready {
    fn begun(&self) -> LoadBegun {
        LoadBegun {
            run: self.header.run.clone(),
            topic: self.header.topic.clone(),
            partitions: self.header.partitions,
            rate: self.header.rate,
        }
    }

    async fn run(self: Box<Self>, stop: Stop) -> Result<LoadSum, Problem> {
        // librdkafka blocks in its calls, and the disk does.
        let work = tokio::task::spawn_blocking(move || self.work(&stop));
        let ended = |e: tokio::task::JoinError| Problem::new(format!("the load ended: {e}"));
        work.await.map_err(ended)?
    }
}

impl Ready {
    fn work(self, stop: &Stop) -> Result<LoadSum, Problem> {
        let clock = Clock::start();
        let mut header = self.header;
        header.began = clock.now();
        let place = self.load.record.display().to_string();
        let wrong = |e: std::io::Error| Problem::new(format!("{place}: {e}"));
        let file = record::create(&self.load.record, &header)
            .map_err(|e| wrong(e).help("name a file that is not there, in a folder that is"))?;
        let kept = Kept::default();
        let shared = Shared {
            bootstrap: self.bootstrap,
            header,
            clock,
            kept: kept.clone(),
        };
        let (entries, received) = mpsc::channel();
        let counts = kept.clone();
        let writer = thread::spawn(move || record::keep(file, &received, &counts));
        let reader = Reader::start(&shared, &entries);
        let made = produce(&shared, &self.load, &entries, stop);
        if made.is_ok() {
            catch_up(&kept);
        }
        reader.stop();
        // Nobody waits for an entry that can't be written any more.
        let at = *made.as_ref().unwrap_or(&clock.now());
        let _ = entries.send(Entry::End { at });
        drop(entries);
        let written = writer
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("the writer of the record ended")));
        written.map_err(wrong)?;
        made.map_err(|e| Problem::new(format!("no producer: {e}")))?;
        Ok(LoadSum {
            acked: kept.acked.load(Ordering::SeqCst),
            unsure: kept.unsure.load(Ordering::SeqCst),
            read: kept.read.load(Ordering::SeqCst),
            took_ms: clock.ms(),
        })
    }
}

/// The reader that reads along, in a thread of its own.
struct Reader {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn start(shared: &Shared, entries: &mpsc::Sender<Entry>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (shared, entries, end) = (shared.clone(), entries.clone(), Arc::clone(&over));
        let thread = thread::spawn(move || along(&shared, &entries, &end));
        Self { over, thread }
    }

    fn stop(self) {
        self.over.store(true, Ordering::SeqCst);
        // What it saw is in the record; how it ended says nothing more.
        let _ = self.thread.join();
    }
}

/// Waits until the reader has seen all that was acknowledged, or sees nothing new any more.
fn catch_up(kept: &Kept) {
    let mut seen = (kept.read.load(Ordering::SeqCst), Instant::now());
    loop {
        let (read, acked) = (
            kept.read.load(Ordering::SeqCst),
            kept.acked.load(Ordering::SeqCst),
        );
        if read > seen.0 {
            seen = (read, Instant::now());
        }
        let broken = kept.broken.load(Ordering::SeqCst);
        if broken || read >= acked || seen.1.elapsed() >= CATCH_UP {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}
