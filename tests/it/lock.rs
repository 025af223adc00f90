//! Two runs exclude each other: the cluster's lock on fake hosts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sdtd::error::Kind;
use sdtd::exec::Stop;
use sdtd::exec::script::Places;
use sdtd::id::HostName;
use sdtd::lock::{Answer, Ask, LEASE, Owner, ask_all, take};
use sdtd::transport::fake::World;
use sdtd::transport::{Fake, Remote};
use sdtd::verify::Fleet;

/// Three hosts, and where things are on them.
struct Bench {
    world: Arc<Mutex<World>>,
    fleet: Fleet,
    places: BTreeMap<HostName, Places>,
    stop: Stop,
}

fn bench() -> Bench {
    let world = Arc::new(Mutex::new(World::default()));
    let (mut fleet, mut places) = (BTreeMap::new(), BTreeMap::new());
    for name in ["h1", "h2", "h3"] {
        let host: HostName = name.parse().unwrap();
        fleet.insert(host.clone(), Remote::Fake(Fake::new(&world, &host)));
        let (state, incoming) = ("/state".to_owned(), "/incoming".to_owned());
        let at = Places {
            state,
            incoming,
            pidfiles: false,
        };
        places.insert(host, at);
    }
    Bench {
        world,
        fleet: Arc::new(fleet),
        places,
        stop: Stop::default(),
    }
}

/// A run on another machine, of which nothing is known here.
fn stranger() -> Owner {
    Owner {
        machine: "elsewhere".to_owned(),
        user: "eve".to_owned(),
        since: Owner::me("other").since - 300,
        ..Owner::me("other")
    }
}

impl Bench {
    fn hold(&self, hosts: &[&str], owner: &Owner, age: u64) {
        let mut world = self.world.lock().unwrap();
        for name in hosts {
            world.hosts.get_mut(*name).unwrap().lock = Some((owner.clone(), age));
        }
    }

    fn held_by(&self, host: &str) -> Option<String> {
        let world = self.world.lock().unwrap();
        world.hosts[host]
            .lock
            .as_ref()
            .map(|(owner, _)| owner.run.clone())
    }

    async fn take(&self, run: &str) -> Result<sdtd::lock::Guard, sdtd::error::Failure> {
        let how = (Duration::ZERO, &self.stop);
        take(&self.fleet, &self.places, run, how).await
    }
}

#[tokio::test]
async fn the_second_run_is_told_who_holds_the_lock_and_takes_nothing() {
    let bench = bench();
    bench.hold(&["h1", "h2", "h3"], &stranger(), 12);
    let refused = bench.take("mine").await.err().unwrap();
    assert_eq!(refused.kind, Kind::Locked);
    let told = refused.to_string();
    assert!(
        told.contains("eve on elsewhere") && told.contains("12 s ago"),
        "{told}"
    );
    assert!(told.contains(" for 30"), "since when: {told}");
    assert!(told.contains("sdtd unlock"), "{told}");
    assert_eq!(bench.held_by("h2").as_deref(), Some("other"));
}

#[tokio::test]
async fn a_minority_of_hosts_is_not_enough_and_is_given_back() {
    let bench = bench();
    bench.hold(&["h1", "h2"], &stranger(), 1);
    assert_eq!(bench.take("mine").await.err().unwrap().kind, Kind::Locked);
    assert_eq!(bench.held_by("h3"), None, "what was taken is given back");
}

#[tokio::test]
async fn a_majority_is_enough_and_nothing_is_left_behind() {
    let bench = bench();
    bench.hold(&["h1"], &stranger(), 1);
    let guard = bench.take("mine").await.unwrap();
    assert_eq!(bench.held_by("h2").as_deref(), Some("mine"));
    guard.release().await;
    assert_eq!((bench.held_by("h2"), bench.held_by("h3")), (None, None));
    assert_eq!(
        bench.held_by("h1").as_deref(),
        Some("other"),
        "another's is left alone"
    );
}

#[tokio::test]
async fn a_lock_that_was_not_renewed_is_nobodys() {
    let bench = bench();
    bench.hold(&["h1", "h2", "h3"], &stranger(), LEASE + 1);
    assert!(bench.take("mine").await.is_ok());
}

#[tokio::test]
async fn a_dead_run_of_this_machine_is_recognised_at_once() {
    let bench = bench();
    let dead = Owner {
        pid: u32::MAX,
        ..Owner::me("dead")
    };
    bench.hold(&["h1", "h2", "h3"], &dead, 0);
    assert!(bench.take("mine").await.is_ok());
}

#[tokio::test]
async fn unlock_takes_it_away_from_anybody() {
    let bench = bench();
    bench.hold(&["h1", "h2", "h3"], &stranger(), 0);
    let answers = ask_all(&bench.fleet, &bench.places, &Ask::Break).await;
    assert!(answers.iter().all(|(_, answer)| answer == &Ok(Answer::Yes)));
    assert!(bench.take("mine").await.is_ok());
}

/// Waits until a run was asked to end; a renewal is due every twenty seconds.
async fn asked(stop: &Stop) {
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while !stop.is_asked() && std::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_run_whose_lock_is_in_other_hands_is_asked_to_end() {
    let bench = bench();
    let guard = bench.take("mine").await.unwrap();
    bench.hold(&["h1"], &stranger(), 1);
    bench.hold(&["h2"], &stranger(), 1);
    asked(&bench.stop).await;
    let lost = guard.lost().expect("two of three are another's").cause;
    assert!(lost.contains("eve on elsewhere"), "{lost}");
    guard.release().await;
    assert_eq!(bench.held_by("h1").as_deref(), Some("other"));
}

/// What a host's own shell answers.
fn answered(state: &std::path::Path, ask: &Ask) -> Answer {
    let at = Places {
        state: state.display().to_string(),
        incoming: String::new(),
        pidfiles: true,
    };
    let script = sdtd::lock::script(&at, ask);
    let said = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    sdtd::lock::parse(said.trim_end()).unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn a_host_knows_whose_its_lock_is() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (mine, other) = (Owner::me("mine"), stranger());
    let ask = |ask: Ask| answered(&state, &ask);
    assert_eq!(ask(Ask::Take(mine.clone())), Answer::Yes);
    assert_eq!(ask(Ask::Renew(mine.clone())), Answer::Yes);
    assert!(matches!(ask(Ask::Take(other.clone())), Answer::Held(Some(held), _) if held == mine));
    // Somebody took it away: it is nobody's, then another's.
    assert_eq!(ask(Ask::Break), Answer::Yes);
    assert!(matches!(
        ask(Ask::Renew(mine.clone())),
        Answer::Held(None, _)
    ));
    assert_eq!(ask(Ask::Take(other.clone())), Answer::Yes);
    assert!(matches!(ask(Ask::Renew(mine.clone())), Answer::Held(Some(held), _) if held == other));
    // A run that takes all away from a host is not told that it lost the lock there.
    std::fs::remove_dir_all(&state).unwrap();
    assert_eq!(ask(Ask::Renew(mine)), Answer::Yes);
}
