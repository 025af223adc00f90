//! Whether two voters were ever missing at once, the second because we stopped it: what each said every 200 ms, merged
//! with what was done to its unit.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sdtd::event::{EventKind, Outcome};

use super::hosts::{HOSTS, Lab, address};
use super::laptop::Laptop;

/// Between two questions to a server.
const EVERY: Duration = Duration::from_millis(200);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_millis(500);
/// Microseconds after which nobody knows any more what a server would say.
const STALE: u64 = 2_000_000;
const UNIT: &str = "zookeeper-server";
/// What systemd's journal calls a unit that is told to stop, and one that is started (sd-messages(3)).
const STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";

/// What a server says when it is asked what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// It does not answer.
    Nothing,
    /// It answers, and serves nobody: it looks for others.
    Waits,
    /// It leads, follows, or is alone.
    Serves,
}

/// Something that was done to a server, or heard from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Its unit was told to stop, alone or to start again.
    Stopped,
    /// Its unit was started.
    Started,
    /// It was asked at that time, and said this.
    Said { asked: u64, says: Says },
}

/// When, in microseconds since 1970, whom, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub at: u64,
    pub who: String,
    pub what: What,
}

/// What is known of a server at a moment.
struct Server {
    says: Says,
    since: u64,
    /// When it was last heard, and when it was last stopped or started.
    heard: u64,
    changed: u64,
    stopped: bool,
    votes: bool,
}

impl Server {
    fn hears(&mut self, at: u64, asked: u64, says: Says) {
        self.heard = at;
        // Asked before, answered after: nobody knows of which of the two it tells.
        if self.stopped || asked < self.changed {
            return;
        }
        self.votes |= says == Says::Serves;
        self.is(at, says);
    }

    fn is(&mut self, at: u64, says: Says) {
        if self.says != says {
            (self.says, self.since) = (says, at);
        }
    }

    /// Why nobody may be stopped beside it.
    fn missing(&self, at: u64, bar: Says) -> Option<String> {
        let ms = |since: u64| (at - since) / 1000;
        if !self.votes {
            None
        } else if self.says < bar {
            Some(format!("was {:?} for {} ms", self.says, ms(self.since)))
        } else if at - self.heard > STALE {
            Some(format!("was not asked for {} ms", ms(self.heard)))
        } else {
            None
        }
    }
}

/// What was heard and done, in order, for people: what a server says is told when it differs from what it said before.
pub fn timeline(entries: &[Entry]) -> String {
    let (mut entries, mut last) = (entries.to_vec(), BTreeMap::new());
    entries.sort_by_key(|entry| entry.at);
    let began = entries.first().map_or(0, |entry| entry.at);
    let ms = |at: u64| at.saturating_sub(began) / 1000;
    let mut lines = Vec::new();
    for Entry { at, who, what } in entries {
        match what {
            What::Said { says, .. } if last.get(&who) == Some(&says) => continue,
            What::Said { asked, says } => {
                lines.push(format!("{} {who} {says:?}, asked at {}", ms(at), ms(asked)));
                last.insert(who, says);
            }
            done => lines.push(format!("{} {who} {done:?}", ms(at))),
        }
    }
    lines.join("\n")
}

/// Each stop of a voter beside which another voter was missing: below the bar, or asked by nobody. A server votes from
/// when it first serves until it is stopped for good. Pure.
pub fn judge(entries: &[Entry], bar: Says) -> Vec<String> {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|entry| entry.at);
    let mut servers = BTreeMap::<&str, Server>::new();
    let mut wrong = Vec::new();
    for (n, Entry { at, who, what }) in entries.iter().enumerate() {
        let new = Server {
            says: Says::Nothing,
            since: *at,
            heard: *at,
            changed: 0,
            stopped: false,
            votes: false,
        };
        let mut server = servers.remove(who.as_str()).unwrap_or(new);
        match what {
            What::Said { asked, says } => server.hears(*at, *asked, *says),
            What::Started => (server.stopped, server.changed) = (false, *at),
            What::Stopped => {
                // One that does not answer is not taken from anybody.
                if server.votes && server.says > Says::Nothing {
                    let others = servers.iter();
                    let told = others.filter_map(|(other, state)| {
                        let why = state.missing(*at, bar)?;
                        if !state.stopped && is_heard(&entries[n..], (other, *at), bar) {
                            return None;
                        }
                        Some(format!("{who} was stopped while {other} {why}"))
                    });
                    wrong.extend(told);
                }
                (server.stopped, server.changed) = (true, *at);
                server.is(*at, Says::Nothing);
                let starts = |later: &Entry| later.who == *who && later.what == What::Started;
                server.votes &= entries[n..].iter().any(starts);
            }
        }
        servers.insert(who, server);
    }
    wrong
}

/// Whether the next question to a server, which was due already, shows that it is up: what is seen every 200 ms is not
/// seen before. It may have to wait until the one before has had no answer in time.
fn is_heard(later: &[Entry], (who, at): (&str, u64), bar: Says) -> bool {
    let due = at + u64::try_from((EVERY + ANSWER).as_micros()).unwrap_or_default();
    let answers = later.iter().filter(|entry| entry.who == who);
    let mut answers = answers.filter_map(|entry| match entry.what {
        What::Said { asked, says } => Some((asked, says >= bar)),
        _ => None,
    });
    let next = answers.find(|(asked, up)| *asked >= at || *up);
    next.is_some_and(|(asked, up)| up && asked <= due)
}

/// All servers being asked.
pub struct Watch {
    began: u64,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Entry>>>,
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.expect("a time").as_micros();
    u64::try_from(micros).expect("a time")
}

impl Watch {
    /// Begins to ask.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let each = |host: &'static str| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || ask_on(host, &stop))
        };
        Self {
            began: now(),
            threads: HOSTS.into_iter().map(each).collect(),
            stop,
        }
    }

    /// Ends it: what was heard, and what the hosts' journals say was done. All that the runs of this laptop told of
    /// must be among it, and nothing else.
    pub fn stop(self, lab: &Lab, laptop: &Laptop) -> Vec<Entry> {
        self.stop.store(true, Ordering::SeqCst);
        let each = self.threads.into_iter();
        let heard = each.flat_map(|t| t.join().expect("a watch that ended well"));
        let mut all: Vec<Entry> = heard.collect();
        for host in HOSTS {
            let done = done(lab, host, self.began);
            let stops = done.iter().filter(|e| e.what == What::Stopped).count();
            let (least, most) = told(laptop, host, self.began);
            assert!(
                (least..=most).contains(&stops),
                "{host}: {stops} stops, our runs tell of {least} and began {most}"
            );
            all.extend(done);
        }
        all
    }
}

fn ask_on(host: &'static str, stop: &AtomicBool) -> Vec<Entry> {
    let mut all = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let (asked, began) = (now(), Instant::now());
        let says = ask(host);
        all.push(Entry {
            at: now(),
            who: host.to_owned(),
            what: What::Said { asked, says },
        });
        std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
    }
    all
}

fn ask(host: &str) -> Says {
    let answer = || -> std::io::Result<String> {
        let at: SocketAddr = format!("{}:2181", address(host)).parse().expect("one");
        let mut stream = TcpStream::connect_timeout(&at, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(b"srvr")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    match answer() {
        Ok(text) if text.contains("\nMode: ") => Says::Serves,
        Ok(text) if !text.is_empty() => Says::Waits,
        _ => Says::Nothing,
    }
}

/// What was done to the unit of a host since then.
fn done(lab: &Lab, host: &str, since: u64) -> Vec<Entry> {
    let seconds = since / 1_000_000;
    let said = lab.on(host, &format!(
        "journalctl -q -o json --output-fields=MESSAGE_ID,UNIT --since @{seconds} MESSAGE_ID={STOPPING} + MESSAGE_ID={STARTED}"
    ));
    let entry = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("an entry of a journal");
        let at = value["__REALTIME_TIMESTAMP"].as_str()?.parse().ok()?;
        let ours = value["UNIT"] == format!("{UNIT}.service") && at >= since;
        let what = if value["MESSAGE_ID"] == STOPPING {
            What::Stopped
        } else {
            What::Started
        };
        let who = host.to_owned();
        ours.then_some(Entry { at, who, what })
    };
    said.lines().filter_map(entry).collect()
}

/// How many stops of the unit on a host the logs of runs since then tell of, and how many there can have been: a run
/// that was killed does not tell of what it had begun.
fn told(laptop: &Laptop, host: &str, since: u64) -> (usize, usize) {
    let (mut least, mut most) = (0, 0);
    let runs = sdtd::report::runs(&laptop.path("state").join("lab")).expect("logs of runs");
    for run in runs {
        let events = sdtd::report::read(&run).expect("a log");
        let is_old = |kind: &EventKind| matches!(kind, EventKind::RunStarted { time, .. } if *time < since / 1_000_000);
        if events.iter().any(|event| is_old(&event.kind)) {
            continue;
        }
        let mut open = 0;
        for event in events {
            match event.kind {
                EventKind::BatchStarted { host: of, .. } if of.as_str() == host => open = 1,
                EventKind::StepFinished {
                    host: of,
                    step,
                    outcome,
                    ..
                } if of.as_str() == host => {
                    let stops = ["stop", "restart"].map(|word| format!("{word} {UNIT}"));
                    if stops.contains(&step) {
                        least += usize::from(outcome == Outcome::Changed);
                        most += 1;
                        open = 0;
                    }
                }
                EventKind::WaveFinished { .. } => open = 0,
                _ => {}
            }
        }
        // What was under way when it was killed.
        most += open;
    }
    (least, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Says::{Nothing, Serves, Waits};

    /// Three servers that serve, and what happens then: milliseconds, who, what.
    fn story(then: &[(u64, &str, What)]) -> Vec<Entry> {
        let entry = |(ms, who, what): (u64, &str, What)| Entry {
            at: ms * 1000,
            who: who.to_owned(),
            what,
        };
        let first = ["a", "b", "c"].map(|who| (10, who, says(9, Serves)));
        first
            .into_iter()
            .chain(then.iter().cloned())
            .map(entry)
            .collect()
    }

    fn says(asked: u64, says: Says) -> What {
        let asked = asked * 1000;
        What::Said { asked, says }
    }

    #[test]
    fn one_after_another_is_as_it_should_be() {
        let good = story(&[
            (100, "a", What::Stopped),
            (150, "a", What::Started),
            (300, "a", says(250, Waits)),
            (500, "a", says(450, Serves)),
            (600, "b", What::Stopped),
        ]);
        assert_eq!(judge(&good, Serves), Vec::<String>::new());
    }

    #[test]
    fn the_second_that_we_stop_is_told_of() {
        let bad = story(&[(100, "a", What::Stopped), (400, "b", What::Stopped)]);
        // That is no voter any more which never comes back; this one does.
        let bad = [bad, story(&[(900, "a", What::Started)])].concat();
        for bar in [Waits, Serves] {
            let told = judge(&bad, bar);
            assert_eq!(told, ["b was stopped while a was Nothing for 300 ms"]);
        }
    }

    #[test]
    fn one_that_is_back_and_does_not_serve_yet_is_missing_where_that_is_the_bar() {
        let early = story(&[
            (100, "a", What::Stopped),
            (150, "a", What::Started),
            (300, "a", says(250, Waits)),
            (400, "b", What::Stopped),
        ]);
        assert_eq!(judge(&early, Waits), Vec::<String>::new());
        let told = judge(&early, Serves);
        assert_eq!(told, ["b was stopped while a was Waits for 100 ms"]);
    }

    #[test]
    fn one_that_died_by_itself_is_missing_too_and_who_dies_second_is_not_our_doing() {
        // Also where it is up again later, but was not when it was asked next.
        let died = story(&[
            (200, "a", says(190, Nothing)),
            (300, "b", What::Stopped),
            (420, "a", says(410, Nothing)),
            (630, "a", says(620, Serves)),
        ]);
        let told = judge(&died, Waits);
        assert_eq!(told, ["b was stopped while a was Nothing for 100 ms"]);
        let dies = story(&[(300, "b", What::Stopped), (400, "a", says(390, Nothing))]);
        assert_eq!(judge(&dies, Serves), Vec::<String>::new());
    }

    #[test]
    fn who_has_yet_to_join_and_who_left_for_good_do_not_vote() {
        let members = story(&[
            (100, "d", What::Started),
            (200, "d", says(150, Waits)),
            (300, "a", What::Stopped),
            (350, "a", What::Started),
            (500, "a", says(450, Serves)),
            (600, "c", What::Stopped),
            (700, "b", What::Stopped),
        ]);
        assert_eq!(judge(&members, Serves), Vec::<String>::new());
    }

    #[test]
    fn an_answer_from_before_proves_nothing_and_no_answer_neither() {
        let late = story(&[
            (100, "a", What::Stopped),
            (150, "a", What::Started),
            (300, "a", says(140, Serves)),
            (400, "b", What::Stopped),
        ]);
        let told = judge(&late, Serves);
        assert_eq!(told, ["b was stopped while a was Nothing for 300 ms"]);
        let told = judge(&story(&[(5000, "b", What::Stopped)]), Waits);
        assert_eq!(
            told,
            [
                "b was stopped while a was not asked for 4990 ms",
                "b was stopped while c was not asked for 4990 ms"
            ]
        );
    }
}
