//! Watches a cluster from outside while it is changed: who answers, and which replicas are in sync.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sdtd::kafka::{Client, Endpoint, Metadata};
use sdtd::transport::{BoxStream, Dial};

use super::hosts::{HOSTS, address};

/// Between two looks at all ports.
const EVERY: Duration = Duration::from_millis(200);
/// Between two looks at the replicas: a gate that holds and the stop behind it are close together.
const REPLICAS_EVERY: Duration = Duration::from_millis(50);

/// What was seen at one moment.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Microseconds since boot, the clock of the hosts' units.
    pub at: u64,
    /// How long the looking took, in microseconds.
    pub took: u64,
    /// Brokers whose port does not answer; none where only replicas were looked at.
    pub down: Vec<&'static str>,
    /// Brokers that the cluster has registered.
    pub registered: usize,
    /// Partitions without all their replicas in sync, as text.
    pub behind: Vec<String>,
    /// The fewest replicas in sync of any partition; none when no broker told.
    pub least: Option<usize>,
}

impl Seen {
    /// Whether all brokers are registered and all replicas in sync.
    pub fn is_whole(&self) -> bool {
        self.least.is_some() && self.behind.is_empty() && self.registered == HOSTS.len()
    }
}

/// A watch under way.
pub struct Observer {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Seen>>>,
}

impl Observer {
    /// Begins to watch the brokers and a topic of three copies.
    pub fn start(topic: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (one, two) = (Arc::clone(&stop), Arc::clone(&stop));
        let ports = std::thread::spawn(move || repeat(&one, EVERY, look_at_ports));
        let replicas = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.expect("a runtime");
            let brokers = HOSTS
                .iter()
                .map(|h| Endpoint::new(address(h), 9092))
                .collect();
            let client =
                Client::new(Arc::new(Direct), brokers).with_timeout(Duration::from_secs(2));
            let look = || runtime.block_on(look_at_replicas(&client, topic));
            repeat(&two, REPLICAS_EVERY, look)
        });
        Self {
            stop,
            threads: vec![ports, replicas],
        }
    }

    /// Ends the watch: what was seen of the ports, and of the replicas.
    pub fn stop(self) -> (Vec<Seen>, Vec<Seen>) {
        self.stop.store(true, Ordering::SeqCst);
        let mut seen = self
            .threads
            .into_iter()
            .map(|t| t.join().expect("a watch that ended well"));
        (
            seen.next().unwrap_or_default(),
            seen.next().unwrap_or_default(),
        )
    }
}

fn repeat(stop: &AtomicBool, every: Duration, look: impl Fn() -> Seen) -> Vec<Seen> {
    let mut all = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let at = since_boot();
        let mut seen = look();
        seen.at = at;
        seen.took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        all.push(seen);
        std::thread::sleep(every.saturating_sub(began.elapsed()));
    }
    all
}

/// The clock that systemd writes into a unit's properties, to ten milliseconds.
fn since_boot() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds: f64 = text
        .split(' ')
        .next()
        .and_then(|s| s.parse().ok())
        .unwrap_or_default();
    Duration::from_secs_f64(seconds)
        .as_micros()
        .try_into()
        .unwrap_or(0)
}

fn look_at_ports() -> Seen {
    let ask = |host: &'static str| {
        std::thread::spawn(move || {
            let at: SocketAddr = format!("{}:9092", address(host))
                .parse()
                .expect("an address");
            let open = TcpStream::connect_timeout(&at, Duration::from_secs(2)).is_ok();
            (!open).then_some(host)
        })
    };
    let asked: Vec<_> = HOSTS.into_iter().map(ask).collect();
    let down = asked
        .into_iter()
        .filter_map(|t| t.join().ok().flatten())
        .collect();
    Seen {
        down,
        ..Seen::default()
    }
}

async fn look_at_replicas(client: &Client, topic: &str) -> Seen {
    let Ok(metadata) = client.metadata().await else {
        return Seen::default();
    };
    Seen {
        registered: metadata.brokers.len(),
        behind: behind(&metadata),
        least: least(&metadata, topic),
        ..Seen::default()
    }
}

fn behind(metadata: &Metadata) -> Vec<String> {
    metadata
        .partitions()
        .filter(|(_, p)| p.isr.len() < p.replicas.len() || p.leader.is_none())
        .map(|(topic, p)| format!("{topic}-{}: {:?} of {:?}", p.index, p.isr, p.replicas))
        .collect()
}

fn least(metadata: &Metadata, topic: &str) -> Option<usize> {
    let of_topic = metadata.partitions().filter(|(name, _)| *name == topic);
    of_topic.map(|(_, p)| p.isr.len()).min()
}

/// Straight to the broker's own address.
struct Direct;

#[async_trait::async_trait]
impl Dial for Direct {
    async fn dial(&self, host: &str, port: u16) -> io::Result<BoxStream> {
        Ok(Box::pin(
            tokio::net::TcpStream::connect((host, port)).await?,
        ))
    }
}
