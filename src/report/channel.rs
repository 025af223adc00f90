//! From those who work to those who report: one stream of events.
//!
//! The channel has no bound: what a run must tell (lifecycle events) is a small multiple of its plan, it
//! must never be lost, and a worker must never wait for a slow screen, least of all between two steps of a
//! rolling restart. What could grow without limit is byte progress; it is left out while the reader lags
//! behind, except the last word of each transfer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::{Reporter, Reporters};
use crate::event::{Event, EventKind, SCHEMA};

/// With more than so many events unread, byte progress is left out.
const LAG: usize = 256;

/// Where work tells what happens. Cheap to clone; the run's clock starts with the first one.
#[derive(Debug, Clone)]
pub struct EventSink {
    sender: UnboundedSender<Event>,
    unread: Arc<AtomicUsize>,
    began: Instant,
}

/// The reading end of [`channel`].
#[derive(Debug)]
pub struct Receiver {
    events: UnboundedReceiver<Event>,
    unread: Arc<AtomicUsize>,
}

/// A sink and its reader.
#[must_use]
pub fn channel() -> (EventSink, Receiver) {
    let (sender, events) = unbounded_channel();
    let unread = Arc::new(AtomicUsize::new(0));
    let sink = EventSink {
        sender,
        unread: Arc::clone(&unread),
        began: Instant::now(),
    };
    (sink, Receiver { events, unread })
}

impl EventSink {
    /// A sink nobody reads, for work whose events are of no interest.
    #[must_use]
    pub fn discard() -> Self {
        channel().0
    }

    /// Tells what happened, now. Never waits and never fails: work goes on when nobody listens.
    pub fn emit(&self, kind: EventKind) {
        if self.unread.load(Ordering::Relaxed) > LAG && is_mere_progress(&kind) {
            return;
        }
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.unread.fetch_add(1, Ordering::Relaxed);
        if self
            .sender
            .send(Event {
                v: SCHEMA,
                at_ms,
                kind,
            })
            .is_err()
        {
            self.unread.store(0, Ordering::Relaxed);
        }
    }

    /// Waits until all that was told so far is written, a little while at the most: for questions that
    /// are about it.
    pub async fn flush(&self) {
        for _ in 0..500 {
            if self.unread.load(Ordering::Relaxed) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Tells that a phase begins.
    pub fn phase(&self, name: impl Into<String>) {
        self.emit(EventKind::Phase { name: name.into() });
    }

    /// Tells a line of information.
    pub fn note(&self, text: impl Into<String>) {
        self.emit(EventKind::Note { text: text.into() });
    }

    /// Warns of something that stops nothing, with what to do about it.
    pub fn warn(&self, text: impl Into<String>, help: Option<&str>) {
        self.emit(EventKind::Warning {
            text: text.into(),
            help: help.map(str::to_owned),
        });
    }
}

/// Progress that the next event of its kind makes obsolete.
fn is_mere_progress(kind: &EventKind) -> bool {
    match kind {
        EventKind::Transfer { done, total, .. } => done < total,
        EventKind::Package { done, total, .. } => total.is_none_or(|total| *done < total),
        _ => false,
    }
}

impl Receiver {
    /// The next event; `None` when every sink is gone. Waits on the thread, not on the runtime.
    pub fn recv(&mut self) -> Option<Event> {
        self.events.blocking_recv()
    }

    /// Says that an event was dealt with.
    fn dealt_with(&self) {
        self.unread.fetch_sub(1, Ordering::Relaxed);
    }

    /// What is there already.
    fn drain(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            self.unread.fetch_sub(1, Ordering::Relaxed);
            events.push(event);
        }
        events
    }
}

/// Reports all events on a thread of its own, until every sink is dropped; a full pipe or a slow screen
/// thus never holds up the runtime. Gives the reporters back.
#[must_use]
pub fn drive(mut receiver: Receiver, mut reporters: Reporters) -> JoinHandle<Reporters> {
    tokio::task::spawn_blocking(move || {
        while let Some(event) = receiver.recv() {
            // Reporters drop an output that fails by themselves; there is nobody else to tell.
            let _ = reporters.on_event(&event);
            receiver.dealt_with();
        }
        reporters
    })
}

/// A sink's events kept in memory, for tests of those who work.
#[derive(Debug)]
pub struct Collected {
    receiver: Receiver,
}

impl Collected {
    /// A sink, and where its events gather.
    #[must_use]
    pub fn new() -> (EventSink, Self) {
        let (sink, receiver) = channel();
        (sink, Self { receiver })
    }

    /// What was told since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        self.receiver.drain()
    }

    /// What was told since the last call, without the times.
    pub fn kinds(&mut self) -> Vec<EventKind> {
        self.events().into_iter().map(|event| event.kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(done: u64) -> EventKind {
        let host = "pi1".parse().expect("a good name");
        EventKind::Transfer {
            host,
            what: "kit".to_owned(),
            done,
            total: 1000,
            from: None,
        }
    }

    #[test]
    fn progress_is_left_out_for_a_slow_reader_and_nothing_else_is() {
        let (sink, mut collected) = Collected::new();
        (0..=1000).for_each(|done| sink.emit(transfer(done)));
        (0..1000).for_each(|n| sink.note(n.to_string()));
        let kinds = collected.kinds();
        let (notes, transfers): (Vec<_>, Vec<_>) = kinds
            .iter()
            .partition(|kind| matches!(kind, EventKind::Note { .. }));
        assert_eq!(notes.len(), 1000);
        assert!(transfers.len() <= LAG + 2, "{}", transfers.len());
        assert_eq!(
            transfers.last(),
            Some(&&transfer(1000)),
            "the last word is kept"
        );
        sink.emit(transfer(1));
        assert_eq!(collected.kinds().len(), 1, "progress comes again once read");
    }

    #[tokio::test]
    async fn driving_ends_with_the_last_sink() {
        let (sink, receiver) = channel();
        let (out, seen) = super::super::Out::captured();
        let plain = super::super::Plain::new(out, super::super::Level::Verbose);
        let driven = drive(receiver, Reporters::of(vec![Box::new(plain)]));
        let other = sink.clone();
        drop(sink);
        other.note("still here");
        drop(other);
        driven.await.expect("no panic");
        assert_eq!(seen.text(), "• still here\n");
    }
}
