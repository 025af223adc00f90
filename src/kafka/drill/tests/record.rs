use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

use super::super::message::{Found, payload, read};
use super::super::record::{Entry, Header, Kept, Record, create, keep};

fn header() -> Header {
    Header::new("abc".to_owned(), "t".to_owned(), 3, (10, 100))
}

fn entries() -> Vec<Entry> {
    let (p, sent, at) = (1, 5, 9);
    let why = "timed out".to_owned();
    vec![
        Entry::Ack {
            p,
            o: 4,
            s: 7,
            sent,
            at,
        },
        Entry::Unsure {
            p,
            s: 8,
            sent,
            at,
            why,
        },
        Entry::Read {
            p,
            o: 4,
            s: Some(7),
            at,
        },
        Entry::Read {
            p,
            o: 5,
            s: None,
            at,
        },
        Entry::End { at: 12 },
    ]
}

#[test]
fn what_is_kept_is_read_again_but_for_a_line_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record");
    let file = create(&path, &header()).unwrap();
    let (sender, receiver) = mpsc::channel();
    entries().into_iter().for_each(|e| sender.send(e).unwrap());
    drop(sender);
    let kept = Kept::default();
    keep(file, &receiver, &kept).unwrap();
    let counted = [&kept.acked, &kept.unsure, &kept.read].map(|n| n.load(Ordering::SeqCst));
    assert_eq!(counted, [1, 1, 1]);

    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(b"{\"k\":\"ack\",\"p\":2").unwrap();
    let record = Record::load(&path).unwrap();
    assert_eq!(record.header, header());
    assert_eq!(record.entries, entries());
    assert_eq!(record.ended(), 12);

    file.write_all(b"\n").unwrap();
    let error = Record::load(&path).unwrap_err().to_string();
    assert!(error.starts_with("line 7: "), "{error}");
    assert!(create(&path, &header()).is_err(), "an older record stays");
}

#[test]
fn a_record_of_another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("record");
    create(&path, &Header { v: 9, ..header() }).unwrap();
    let error = Record::load(&path).unwrap_err().to_string();
    assert_eq!(error, "line 1: format 9 is not known");
}

#[test]
fn a_message_is_known_byte_for_byte() {
    for size in [0, 100, 500] {
        let whole = payload("abc", 2, 41, size);
        assert!(whole.len() >= size);
        let of = |bytes: &[u8]| read(bytes, "abc", 2, size);
        assert_eq!(of(whole.as_bytes()), Found::Ours(41));
        assert_eq!(read(whole.as_bytes(), "abc", 1, size), Found::Foreign);
        assert_eq!(read(whole.as_bytes(), "xyz", 2, size), Found::OtherRun);
        assert_eq!(of(&whole.as_bytes()[1..]), Found::Foreign);
        assert_eq!(of(&whole.as_bytes()[..whole.len() - 1]), Found::Foreign);
        let mut torn = whole.into_bytes();
        let last = torn.len() - 2;
        torn[last] ^= 1;
        assert_eq!(of(&torn), Found::Foreign);
    }
    assert_eq!(read(b"", "abc", 0, 100), Found::Foreign);
    assert_eq!(read(&[0xff, 0], "abc", 0, 100), Found::Foreign);
}
