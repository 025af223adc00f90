//! `check --apply` on this machine, where it must change nothing: the script of its step, and the command.

use std::process::{Command, Stdio};

use sdtd::exec::script::{Places, script};
use sdtd::plan::Step;

use crate::lab::laptop::run_for;

/// What the step answers for a setting of this kernel that nobody can change: `kernel.ostype` is `Linux`.
fn answer(before: &str, after: &str) -> String {
    let places = Places {
        state: "/nonexistent".to_owned(),
        incoming: "/nonexistent".to_owned(),
        pidfiles: false,
    };
    let step = Step::Sysctl {
        key: "kernel.ostype".to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    let mut command = Command::new("sh");
    command.args(["-c", &script(&places, 1, &[step])]);
    run_for(&mut command, 10).expect(0).stdout
}

#[test]
fn a_kernel_setting_is_compared_before_it_is_written() {
    assert_eq!(answer("Minix", "Linux"), "@sdtd 1 ok\n");
    assert_eq!(answer("Minix", "Hurd"), "@sdtd 1 stale\n");
    assert_eq!(answer("Linux", "Hurd"), "@sdtd 1 failed\n");
}

#[test]
fn where_nothing_is_to_be_mended_no_run_begins() {
    let home = tempfile::tempdir().expect("a folder");
    let inventory = "cluster: c\nhosts: { n1: { connection: local, memory: 1G } }\n\
                     services: { zookeeper: { servers: 1 } }\n";
    std::fs::write(home.path().join("inventory.yaml"), inventory).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sdtd"));
    command
        .args(["check", "--apply"])
        .current_dir(home.path())
        .env("SDTD_HOME", home.path())
        .env_remove("SDTD_INVENTORY")
        .stdin(Stdio::null());
    run_for(&mut command, 60).expect(0).says(&["memory"]);
    assert!(!home.path().join("state").exists());
}
