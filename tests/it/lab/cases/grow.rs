//! A live cluster grows and shrinks while clients write and read.

use super::Done;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};
use crate::lab::load::{Load, SESSION, expect_within};
use crate::lab::say;
use crate::lab::voters::{Says, Watch, judge, timeline};

const SMALL: &str =
    "services:\n  zookeeper: { servers: 1 } # one is enough\n  kafka: { brokers: 1 }\n";

/// One server and one broker become three and five; then there are three brokers again.
pub fn grow(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let inventory = laptop.inventory(&Inventory::new().with_services(SMALL));
    laptop.deploy(&inventory).expect(0);

    let load = Load::start(&laptop, &inventory, "out");
    let words = ["--zookeepers", "3", "--brokers", "5"];
    scale(lab, &laptop, &inventory, load, &words);
    let written = std::fs::read_to_string(&inventory).expect("the inventory");
    assert!(
        written.contains("servers: 3 } # one is enough"),
        "{written}"
    );
    assert!(written.contains("brokers: 5 }"), "{written}");
    for host in HOSTS {
        lab.on(
            host,
            "systemctl is-active kafka-broker && test -d /var/lib/kafka/broker",
        );
    }
    laptop.expect_settled(&inventory);

    // By now there is room for copies: nothing may be lost or stand still.
    let load = Load::start(&laptop, &inventory, "in");
    scale(lab, &laptop, &inventory, load, &["--brokers", "3"]);
    let gone =
        "! test -e /var/lib/kafka && ! test -e /etc/kafka && ! test -e /opt/kafka && ! pgrep java";
    for host in HOSTS {
        let brokers = lab.on(host, "systemctl is-active kafka-broker || true");
        if brokers.trim() != "active" && lab.try_on(host, "test -e /etc/zookeeper").code != Some(0)
        {
            lab.on(host, gone);
        }
    }
    laptop.expect_settled(&inventory);

    // One server is enough again; in full, by way of five.
    let full = crate::full();
    let numbers: &[&str] = if full { &["5", "3", "1"] } else { &["1"] };
    for &servers in numbers {
        let load = Load::start(&laptop, &inventory, &format!("servers-{servers}"));
        // The brokers learn of it by a restart each, and the first load's topic has the one copy it began with.
        let words = ["--zookeepers", servers, "--accept-unavailable"];
        scale(lab, &laptop, &inventory, load, &words);
        laptop.expect_settled(&inventory);
    }
    Done::Passed
}

/// Scales under a load; all that was acknowledged is there afterwards, and no voter was stopped beside one that was down.
fn scale(
    lab: &Lab,
    laptop: &Laptop,
    inventory: &std::path::Path,
    mut load: Load<'_>,
    words: &[&str],
) {
    let watch = Watch::start();
    load.mark_begin();
    let all = [&["scale", text(inventory), "--yes"], words].concat();
    let ran = laptop.run(&all).expect(0);
    load.mark_end();
    // Between one and three both of two are restarted before either can serve.
    let heard = watch.stop(lab, laptop);
    let wrong = judge(&heard, Says::Waits);
    assert!(
        wrong.is_empty(),
        "{words:?}: {wrong:?}\n{}",
        timeline(&heard)
    );
    let pause = load.pause();
    let verdict = load.done();
    say(&format!(
        "scale {}: {:.1} s, {pause:?}, {verdict:?}",
        words.join(" "),
        ran.took.as_secs_f64()
    ));
    // With one or two servers a restart is a pause, which is announced.
    expect_within(pause.ms, SESSION);
}
