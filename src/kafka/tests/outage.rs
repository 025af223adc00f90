//! What it means to users that brokers stop, by where replicas are and move.

use super::moves::Bench;
use crate::driver::{Driver, Outage, Stops};
use crate::event::Problem;
use crate::kafka::driver::KafkaDriver;
use crate::plan::{Member, ResourceChange};

/// What it means that these brokers are stopped, with this planned and that begun before.
async fn outage(
    bench: &Bench,
    stopped: &[usize],
    planned: &[ResourceChange],
    begun: &[ResourceChange],
) -> Outage {
    asked(bench, stopped, planned, begun).await.unwrap()
}

async fn asked(
    bench: &Bench,
    stopped: &[usize],
    planned: &[ResourceChange],
    begun: &[ResourceChange],
) -> Result<Outage, Problem> {
    let members: Vec<&Member> = stopped.iter().map(|n| &bench.view.members[n - 1]).collect();
    let (planned, begun): (Vec<_>, Vec<_>) = (planned.iter().collect(), begun.iter().collect());
    let stops = Stops {
        members: &members,
        planned: &planned,
        begun: &begun,
    };
    let found = bench.with("outage", async |call| KafkaDriver.outage(call, stops).await);
    found.await
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_answers_late_does_not_hide_what_has_one_copy_only() {
    let bench = Bench::new();
    bench.sim.lock().unwrap().mute = 2;
    let all = outage(&bench, &[3], &[], &[]).await;
    assert_eq!(
        all.unavailable,
        ["topic velib, partition 2: only on broker 3"]
    );
    // One that never answers does not mean that nobody moves anything.
    bench.sim.lock().unwrap().mute = usize::MAX;
    let problem = asked(&bench, &[3], &[], &[]).await.unwrap_err();
    let cause = &problem.cause;
    assert!(
        cause.starts_with("what restarts would mean is not known: ") && cause.contains("no answer"),
        "{cause}"
    );
    assert!(problem.help.is_some());
    // Nobody is served by brokers of which none takes a connection.
    let down = Bench::without(&[1, 2, 3]);
    assert_eq!(outage(&down, &[3], &[], &[]).await, Outage::default());
}

#[tokio::test(start_paused = true)]
async fn what_has_one_copy_only_is_named_before_its_broker_stops() {
    let bench = Bench::new();
    let all = outage(&bench, &[1, 2, 3], &[], &[]).await;
    assert_eq!(
        all.unavailable,
        [
            "topic velib, partition 0: only on broker 1",
            "topic velib, partition 2: only on broker 3",
        ]
    );
    assert!(all.forbidden.is_empty() && all.told.is_empty(), "{all:?}");
    assert_eq!(outage(&bench, &[2], &[], &[]).await, Outage::default());
    // It is elsewhere by then.
    let planned = bench.planned(None).await;
    let moved = outage(&bench, &[3], &planned, &[]).await;
    assert_eq!(moved, Outage::default());
}

#[tokio::test(start_paused = true)]
async fn moves_of_somebody_else_are_waited_for_by_the_user() {
    let bench = Bench::new();
    let ours = bench.planned(None).await;
    bench.stuck(("velib".to_owned(), 2), vec![1]);
    let foreign = outage(&bench, &[2], &[], &[]).await;
    let cause = &foreign.forbidden[0].cause;
    assert!(cause.ends_with("velib-2 (to broker 1)"), "{cause}");
    assert!(foreign.forbidden[0].help.is_some());
    // This program's own, of this run or of one that was cut off.
    for (planned, begun) in [(&ours[..], &[][..]), (&[], &ours)] {
        let own = outage(&bench, &[2], planned, begun).await;
        assert_eq!(own.forbidden, [], "{own:?}");
    }
}
