//! A drill's messages: each says which run made it, for which partition, and its number; the rest follows from these.

use crate::digest::sha256;

/// What every message begins with.
const WORD: &str = "sdtd-drill";

/// What stands at a place of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The message of this number of the run in question, byte for byte.
    Ours(u64),
    /// A whole message of another run.
    OtherRun,
    /// Anything else.
    Foreign,
}

/// The message of a run for a partition, filled up to `size` bytes where it is shorter.
#[must_use]
pub fn payload(run: &str, partition: i32, sequence: u64, size: usize) -> String {
    let head = format!("{WORD} {run} {partition} {sequence}");
    let sum = sha256(&head);
    let mut text = format!("{head} {sum} ");
    // Not the same byte all over: what is torn or shifted is seen.
    while text.len() < size {
        text.push_str(&sum[..sum.len().min(size - text.len())]);
    }
    text
}

/// The key of a message: unique in the topic.
#[must_use]
pub fn key(run: &str, sequence: u64) -> String {
    format!("{run}-{sequence}")
}

/// What the bytes at a place of `partition` are to a run whose messages have `size` bytes.
#[must_use]
pub fn read(bytes: &[u8], run: &str, partition: i32, size: usize) -> Found {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Found::Foreign;
    };
    let mut words = text.split(' ');
    let head = (words.next(), words.next(), words.next(), words.next());
    let (Some(WORD), Some(of), Some(index), Some(number)) = head else {
        return Found::Foreign;
    };
    let Ok(sequence) = number.parse() else {
        return Found::Foreign;
    };
    // Another run may have had another size; its messages are as long as they are.
    let size = if of == run { size } else { text.len() };
    if index != partition.to_string() || payload(of, partition, sequence, size) != text {
        return Found::Foreign;
    }
    if of == run {
        Found::Ours(sequence)
    } else {
        Found::OtherRun
    }
}
