//! Tests of who is fed by whom, of when a host gives up, and of the edits of a user's file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::answer::{Answer, feeds, line};
use super::race::{Race, Uplink, Why, is_much};
use crate::id::HostName;
use crate::plan::fan::Row;

const MB: u64 = 1 << 20;

fn host(n: usize) -> HostName {
    format!("h{n}").parse().unwrap()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn what_this_machine_alone_would_soon_have_sent_is_not_passed_on() {
    let row = |mb, hosts: usize| Row {
        sha256: String::new(),
        size: mb * MB,
        hosts: (1..=hosts).map(host).collect(),
    };
    let five = [row(40, 5), row(90, 5)];
    assert!(!is_much(&five, 60 * MB), "11 s");
    assert!(is_much(&five, 12 * MB), "54 s");
    assert!(is_much(&[row(60, 20)], 60 * MB), "20 s");
    assert!(is_much(&five, 0), "nobody knows");
}

fn answer(n: usize) -> Answer {
    let mut answer = Answer::default();
    let said = [
        "@fan user pi".to_owned(),
        "@fan port 22".to_owned(),
        format!("@fan address 10.0.0.{n}"),
        "@fan address 127.0.0.1".to_owned(),
        "@fan address fd00::$(reboot)".to_owned(),
        "@fan client".to_owned(),
        "@fan serves".to_owned(),
        "@fan key ssh-ed25519 AAAAC3Nz".to_owned(),
        "@fan key ssh-ed25519 \",command=".to_owned(),
        "Welcome to this host!".to_owned(),
    ];
    for line in said {
        assert!(!answer.take(&line));
    }
    assert!(answer.take("@fan told"));
    answer
}

#[test]
fn an_answer_holds_what_has_the_form_it_should_have() {
    let answer = answer(1);
    assert_eq!((answer.user.as_str(), answer.port), ("pi", Some(22)));
    assert_eq!(answer.addresses.len(), 2);
    assert_eq!(
        answer.keys.iter().collect::<Vec<_>>(),
        ["ssh-ed25519 AAAAC3Nz"]
    );
}

#[test]
fn a_host_that_can_not_serve_or_take_is_passed_over() {
    let mut answers: BTreeMap<HostName, Answer> = (1..=6).map(|n| (host(n), answer(n))).collect();
    answers.get_mut(&host(2)).unwrap().serves = false;
    answers.get_mut(&host(4)).unwrap().client = false;
    answers.remove(&host(5));
    let row = Row {
        sha256: "a".to_owned(),
        size: 100 * MB,
        hosts: (1..=6).map(host).collect(),
    };
    let pairs = [(2, 1), (3, 1), (6, 4)].map(|(child, before)| (host(child), host(before)));
    assert_eq!(feeds(&[row], &answers), [BTreeMap::from(pairs)]);
}

#[test]
fn a_key_is_let_in_from_its_children_for_one_thing() {
    let child = answer(2);
    let text = line(
        ("10.0.0.1", "/in"),
        &[&child],
        "ssh-ed25519 KEY",
        ("c", "r1"),
    )
    .unwrap();
    assert!(
        text.starts_with("restrict,from=\"10.0.0.2\",command=\"exec sh -c '"),
        "{text}"
    );
    assert!(text.ends_with("'\" ssh-ed25519 KEY sdtd-fan-out c r1"));
    assert_eq!(text.matches(['"', '\'']).count(), 6, "{text}");
    assert!(!text.contains('\n') && text.contains("f=/in/$1.fan-r1;"));
    // Hosts that are all on one machine reach each other by its own address.
    let local = line(("127.0.0.5", "/in"), &[&child], "k", ("c", "r1")).unwrap();
    assert!(local.contains("from=\"10.0.0.2,127.0.0.1\""), "{local}");
    assert_eq!(
        line(("10.0.0.1", "/in"), &[&Answer::default()], "k", ("c", "r1")),
        None
    );
}

#[test]
fn what_is_sent_to_several_at_once_counts_together() {
    let mut uplink = Uplink::default();
    assert_eq!(uplink.rate(), 0);
    for _ in 0..10 {
        uplink.sent(MB, seconds(1), seconds(2));
    }
    assert_eq!(uplink.rate(), 10 * MB);
    uplink.sent(MB, seconds(60), seconds(61));
    assert_eq!(uplink.rate(), 10 * MB, "later and slower");
    uplink.sent(40 * MB, seconds(60), seconds(62));
    assert_eq!(
        uplink.rate(),
        20 * MB,
        "one host that is faster than all were"
    );
}

/// When and why the second of four hosts gives up, where it is let in at a moment and then gets `rate` bytes a second, the
/// first has all from the third second on, and this machine sends `uplink`.
fn given_up(let_in: u64, rate: u64, uplink: u64) -> Option<(u64, Why)> {
    let mut race = Race::new(100 * MB, 4);
    for n in 0..60 {
        let now = seconds(n);
        if n == let_in {
            race.let_in(&host(2), now);
        }
        race.note(&host(1), now, if n < 3 { 0 } else { 100 * MB });
        for late in 2..=4 {
            race.note(&host(late), now, n.saturating_sub(let_in.max(3)) * rate);
        }
        if let Some(why) = race.verdict((&host(2), &host(1)), now, uplink) {
            return Some((n, why));
        }
    }
    None
}

#[test]
fn a_host_gives_up_where_the_star_is_clearly_faster() {
    // Three hosts wait: alone, this machine would send a third of its uplink to each.
    assert_eq!(given_up(1, 4 * MB, 12 * MB), None);
    assert_eq!(
        given_up(1, 3 * MB, 12 * MB),
        None,
        "slower, and not clearly so"
    );
    assert_eq!(given_up(1, MB, 12 * MB), Some((8, Why::Slow)));
    assert_eq!(
        given_up(1, 2 * MB, 0),
        None,
        "nobody knows how fast this machine is"
    );
    assert_eq!(
        given_up(1, 18 * MB, 1000 * MB),
        None,
        "it is over in a moment"
    );
}

#[test]
fn where_nothing_comes_it_is_not_waited_for_long() {
    assert_eq!(given_up(1, 0, 0), Some((11, Why::Silent)));
    assert_eq!(given_up(1, 0, 12 * MB), Some((8, Why::Slow)));
    assert_eq!(
        given_up(99, 0, 12 * MB),
        Some((15, Why::Silent)),
        "it is not let in"
    );
    assert_eq!(
        given_up(12, 4 * MB, 12 * MB),
        None,
        "a login may take its time"
    );
}

#[test]
fn a_host_waits_with_the_one_before_it_and_not_for_one_that_failed() {
    let mut race = Race::new(100 * MB, 4);
    race.let_in(&host(2), seconds(0));
    race.let_in(&host(3), seconds(0));
    let mut verdicts = (None, None);
    for n in 0..30 {
        race.note(&host(1), seconds(n), n * 3 * MB);
        race.note(&host(2), seconds(n), 0);
        race.note(&host(3), seconds(n), 0);
        let mut of = |a, b| race.verdict((&host(a), &host(b)), seconds(n), 100 * MB);
        verdicts = (of(2, 1), of(3, 2));
    }
    assert!(verdicts.0.is_some());
    assert_eq!(verdicts.1, None, "the fault is not on its link");
    // The second is fed from elsewhere: what it has all at once is not yet held against its link.
    race.note(&host(2), seconds(30), 50 * MB);
    let third = |race: &mut Race, n| race.verdict((&host(3), &host(2)), seconds(n), 100 * MB);
    assert_eq!(third(&mut race, 30), None);
    assert_eq!(third(&mut race, 34), None);
    assert_eq!(third(&mut race, 35), Some(Why::Slow));
    race.out(&host(2));
    assert_eq!(third(&mut race, 30), Some(Why::Silent));
}

#[test]
fn who_gets_it_as_fast_as_the_one_before_does_not_give_up() {
    let mut race = Race::new(100 * MB, 2);
    race.let_in(&host(2), seconds(0));
    for n in 0..12 {
        race.note(&host(1), seconds(n), n * 10 * MB);
        race.note(&host(2), seconds(n), n.saturating_sub(1) * 10 * MB);
        // By itself this machine would send more than twice as much: it is not known what the link takes.
        let verdict = race.verdict((&host(2), &host(1)), seconds(n), 50 * MB);
        assert_eq!(verdict, None, "after {n} s");
    }
}

#[test]
fn where_many_gave_up_all_do() {
    let mut race = Race::new(100 * MB, 8);
    race.note(&host(2), seconds(0), 0);
    let verdict = |race: &mut Race| race.verdict((&host(2), &host(1)), seconds(1), 0);
    (0..2).for_each(|_| race.gives_up());
    assert_eq!(verdict(&mut race), None);
    race.gives_up();
    assert_eq!(verdict(&mut race), Some(Why::Others));
    race.note(&host(2), seconds(1), 100 * MB);
    assert_eq!(verdict(&mut race), None, "it has all of it");
}

/// What a command of `keys.sh` does to a file: whether it went well, and the file after it.
fn edited(file: &Path, call: &str) -> (bool, String) {
    let script = format!("{}\n{call}\n", include_str!("keys.sh"));
    let mut sh = Command::new("sh");
    let out = sh.args(["-c", &script, "sh"]).arg(file).output().unwrap();
    (out.status.success(), fs::read_to_string(file).unwrap())
}

const ADD: &str = r#"with_line "$1" 'restrict,command="x y" ssh-ed25519 K sdtd-fan-out c r1'"#;

#[test]
fn all_else_in_a_users_file_stays_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorized_keys");
    for text in [
        "",
        "\n",
        "ssh-rsa AAAA me\n",
        "ssh-rsa AAAA me",
        "# a\r\n\n\tssh-rsa AAAA sdtd-fan-out c r1 \n\u{fc}",
        "no end\\",
    ] {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let (good, with) = edited(&file, ADD);
        assert!(good && with.ends_with(text) && with.lines().next().unwrap().contains("restrict"));
        assert_eq!(
            edited(&file, r#"without_lines "$1" 'c other'"#),
            (true, with)
        );
        assert_eq!(
            edited(&file, r#"without_lines "$1" 'c r1'"#),
            (true, text.to_owned())
        );
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn a_users_file_is_left_alone_where_there_is_no_room_or_it_changes_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorized_keys");
    fs::write(&file, "ssh-rsa AAAA me\n").unwrap();
    let full = format!("line_first() {{ printf half; return 1; }}\n{ADD}");
    assert_eq!(
        edited(&file, &full),
        (false, "ssh-rsa AAAA me\n".to_owned())
    );
    let other = format!("line_first() {{ cat \"$1\"; echo new >>\"$1\"; }}\n{ADD}");
    let (good, text) = edited(&file, &other);
    assert!(!good);
    assert_eq!(text, "ssh-rsa AAAA me\nnew\nnew\nnew\n");
}

#[test]
fn what_a_dead_run_left_is_swept_and_what_others_have_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = at("authorized_keys");
    let lines = "a sdtd-fan-out lab r1\nmine\nb sdtd-fan-out lab r2\nc sdtd-fan-out lab2 r1\nend";
    fs::write(&file, lines).unwrap();
    fs::create_dir_all(at("lab/fan-out")).unwrap();
    fs::create_dir(at("in")).unwrap();
    for name in ["a.fan-r1", "a.fan-r2", "a.part"] {
        fs::write(at("in").join(name), "").unwrap();
    }
    let mark = format!("{}\n{}\n", file.display(), at("in").display());
    fs::write(at("lab/fan-out/r1"), mark).unwrap();
    fs::write(at("lab/fan-out/r0"), "").unwrap();
    let call = format!("sweep_fan_out {}", at("lab").display());
    let left = "mine\nc sdtd-fan-out lab2 r1\nend".to_owned();
    assert_eq!(edited(&file, &call), (true, left.clone()));
    assert!(!at("lab/fan-out").exists());
    assert_eq!(fs::read_dir(at("in")).unwrap().count(), 2);
    assert_eq!(
        edited(&file, &call),
        (true, left),
        "a second time there is nothing"
    );
}

#[test]
fn only_a_file_that_is_the_users_own_is_edited() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let found = || {
        let awk = format!("awk() {{ echo {}; }}", folder.path().display());
        let script = format!(
            "{}\n{awk}\nunset SUDO_USER\nkeys_file",
            include_str!("keys.sh")
        );
        let out = Command::new("sh").args(["-c", &script]).output().unwrap();
        (
            out.status.success(),
            String::from_utf8(out.stdout).unwrap().trim().to_owned(),
        )
    };
    assert!(!found().0, "there is none");
    fs::create_dir(at(".ssh")).unwrap();
    fs::write(at("real"), "").unwrap();
    symlink(at("real"), at(".ssh/authorized_keys")).unwrap();
    let real = fs::canonicalize(at("real")).unwrap().display().to_string();
    assert_eq!(found(), (true, real), "what a link points at");
    fs::hard_link(at("real"), at("other")).unwrap();
    assert!(!found().0, "it has another name");
    fs::remove_file(at(".ssh/authorized_keys")).unwrap();
    fs::create_dir(at(".ssh/authorized_keys")).unwrap();
    assert!(!found().0, "it is no file");
}
