//! A service of one's own, as the guide says: deployed, changed, and taken off again. No line of Rust knows it.

use super::Done;
use crate::lab::hosts::Lab;
use crate::lab::inventory::Inventory;
use crate::lab::laptop::{Laptop, text};

/// What the guide's files do on real hosts.
pub fn guide(lab: &mut Lab) -> Done {
    lab.bare();
    lab.spoiled();
    let laptop = Laptop::new();
    let folder = tempfile::tempdir().expect("a folder");
    let written = crate::guide::written(folder.path());
    let guide = std::fs::read_to_string(&written).expect("the guide's inventory");
    let services = &guide[guide.find("services:").expect("services")..];
    let inventory = |services: &str| laptop.inventory(&Inventory::new().with_services(services));
    let path = inventory(services);
    let my = folder.path().join("my");
    let words = |command: &'static str| {
        [command, text(&path), "--templates", text(&my), "--yes"].map(str::to_owned)
    };
    let run = |command| {
        let words = words(command);
        laptop
            .run(&words.iter().map(String::as_str).collect::<Vec<_>>())
            .expect(0)
    };
    run("deploy");
    run("deploy").says(&["no change"]);
    inventory(&services.replace("64mb", "65mb"));
    run("deploy").says(&["restart redis.store"]);
    let host = lab.on("pi1", "grep -h '^maxmemory ' /etc/sdtd-redis/redis.conf");
    assert_eq!(host.trim(), "maxmemory 65mb");
    run("destroy");
    lab.on("pi1", "! pgrep redis-server");
    Done::Passed
}
