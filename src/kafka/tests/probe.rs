//! The probe's topic, and the messages in it.

use bytes::{Bytes, BytesMut};

use super::cluster;
use crate::kafka::exchange::{batch, value_at};
use crate::kafka::probe::{PREFIX, leftovers};

const NOW: u64 = 0x6b01_5000;

#[test]
fn only_old_topics_of_exactly_the_probes_names_are_swept() {
    let names = [
        ("6b01500000000000", false),  // made now
        ("6b014e0000000001", false),  // eight minutes ago
        ("6b014d0000000001", true),   // thirteen minutes ago
        ("6b015fffffffffff", false),  // by a clock that is ahead
        ("6b014d000000000", false),   // too short
        ("6b014d00000000010", false), // too long
        ("6B014D0000000001", false),  // not as it writes them
        ("6b014d000000000g", false),
        ("+b014d0000000001", false),
        ("", false),
    ];
    for (digits, expected) in names {
        for (prefix, ours) in [
            (PREFIX, true),
            ("sdtd_probe_", false),
            ("x__sdtd_probe_", false),
        ] {
            let name = format!("{prefix}{digits}");
            let metadata = cluster(1, &[(&name, &[])]);
            assert_eq!(
                leftovers(&metadata, NOW) == [name.as_str()],
                expected && ours,
                "{name}"
            );
        }
    }
}

/// Batches as a broker keeps them: each with the offset it was given.
fn stored(payloads: &[&str]) -> BytesMut {
    let mut log = BytesMut::new();
    for (offset, payload) in (0_i64..).zip(payloads) {
        let mut one = BytesMut::from(&batch(payload.as_bytes()).unwrap()[..]);
        // The checksum does not cover it.
        one[..8].copy_from_slice(&offset.to_be_bytes());
        log.extend_from_slice(&one);
    }
    log
}

#[test]
fn a_message_is_found_by_its_offset() {
    let log = stored(&["first", "second", ""]).freeze();
    let at = |offset| value_at(log.clone(), offset).unwrap();
    assert_eq!(at(0).as_deref(), Some(&b"first"[..]));
    assert_eq!(at(1).as_deref(), Some(&b"second"[..]));
    assert_eq!(at(2).as_deref(), Some(&b""[..]));
    assert_eq!(at(3), None);
    assert_eq!(value_at(Bytes::new(), 0).unwrap(), None);
}

#[test]
fn what_is_cut_off_or_changed_is_never_taken_for_the_message() {
    let log = stored(&["message"]);
    for cut in 0..log.len() {
        assert!(
            !matches!(value_at(log.clone().freeze().slice(..cut), 0), Ok(Some(_))),
            "{cut}"
        );
    }
    for place in 8..log.len() {
        for bit in 0..8 {
            let mut changed = log.clone();
            changed[place] ^= 1 << bit;
            let found = value_at(changed.freeze(), 0);
            // The leader's epoch is the broker's to write.
            let free = (12..16).contains(&place);
            assert_eq!(
                matches!(found, Ok(Some(_))),
                free,
                "{place} {bit}: {found:?}"
            );
        }
    }
}
