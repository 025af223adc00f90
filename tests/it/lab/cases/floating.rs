//! What stands in front, where a host is lost: pages of another answer everywhere, and the floating address goes to
//! another; also where only what stands in front is stopped.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Done;
use super::stack::pages::pages_answer;
use crate::lab::hosts::{HOSTS, Lab};
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};
use crate::lab::say;

/// An address that no host has, and pages behind it: at first of the host that has it.
const ADDRESS: &str = "10.77.0.100";
const SERVICES: &str = "services:\n  zeppelin: { servers: [pi1, pi4] }\n  haproxy: {}\n  \
                        keepalived: { address: 10.77.0.100/24, interface: host0 }\n";
/// The longest that nobody may have it.
const WITHIN: Duration = Duration::from_secs(30);

/// The first host has it; without that one the next; then the first again; afterwards none.
pub fn floating(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let path = laptop.inventory(&Inventory::new().with_services(SERVICES));
    laptop.deploy(&path).expect(0);
    laptop.expect_settled(&path);
    goes_to(lab, "pi1", &HOSTS);
    lab.on("pi1", "systemctl stop haproxy-proxy");
    goes_to(lab, "pi2", &HOSTS);
    lab.on("pi1", "systemctl start haproxy-proxy");
    goes_to(lab, "pi1", &HOSTS);
    lab.run(&["kill", "pi1"]);
    let page = pages_answer(&HOSTS[1..], "pi1");
    say(&format!(
        "floating: the longest wait for a page {:.1} s",
        page.as_secs_f64()
    ));
    goes_to(lab, "pi2", &HOSTS[1..]);
    lab.run(&["boot", "pi1"]);
    goes_to(lab, "pi1", &HOSTS);
    laptop.expect_settled(&path);

    // What keepalived refuses is not taken, and is told.
    let wrong = SERVICES.replace("10.77.0.100/24", "10.77.0.300/24");
    laptop.inventory(&Inventory::new().with_services(&wrong));
    let refused = laptop.run(&["deploy", text(&path), "--yes"]);
    assert_ne!(refused.code, Some(0), "{}", refused.all());
    goes_to(lab, "pi1", &HOSTS);

    laptop.inventory(&Inventory::new().with_services(SERVICES));
    laptop.deploy(&path).expect(0);
    laptop.run(&["destroy", text(&path), "--yes"]).expect(0);
    assert_eq!(with_it(lab, &HOSTS), [""; 0]);
    lab.is_bare();
    Done::Passed
}

/// Hosts that have the address.
fn with_it<'a>(lab: &Lab, hosts: &[&'a str]) -> Vec<&'a str> {
    let sign = format!("ip -4 address | grep -q ' {ADDRESS}/'");
    let has = |host: &&&str| lab.try_on(host, &sign).code == Some(0);
    hosts.iter().filter(has).copied().collect()
}

/// In time one host has the address, this one, and what is behind the front answers there.
fn goes_to(lab: &Lab, host: &str, hosts: &[&str]) {
    let began = Instant::now();
    let front = format!("{ADDRESS}:80").parse().expect("an address");
    loop {
        let has = with_it(lab, hosts);
        let answers = TcpStream::connect_timeout(&front, Duration::from_secs(1)).is_ok();
        if has == [host] && answers {
            break;
        }
        let late = began.elapsed() > WITHIN;
        assert!(
            !late,
            "{has:?} have it, and not {host} alone; it answers: {answers}"
        );
    }
    let took = began.elapsed().as_secs_f64();
    say(&format!("floating: {host} has it after {took:.1} s"));
}
