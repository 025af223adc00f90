//! The small parts every line is made of: marks, durations, sizes, counts.
//!
//! Colour is always put in here and taken out again by [`super::Out`] where it does not belong.

use owo_colors::OwoColorize;

/// What a line says at its first glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Done or proven.
    Done,
    /// It held already.
    Held,
    /// It failed.
    Failed,
    /// It was not tried.
    Skipped,
    /// Look here, though nothing stops.
    Warning,
    /// It is waited for.
    Waiting,
}

impl Mark {
    /// The mark as one coloured column.
    #[must_use]
    pub fn show(self) -> String {
        match self {
            Self::Done => "✓".green().to_string(),
            Self::Held => "•".dimmed().to_string(),
            Self::Failed => "✗".red().bold().to_string(),
            Self::Skipped => "-".dimmed().to_string(),
            Self::Warning => "!".yellow().bold().to_string(),
            Self::Waiting => "…".yellow().to_string(),
        }
    }
}

/// Text that matters.
#[must_use]
pub fn strong(text: &str) -> String {
    text.bold().to_string()
}

/// Text that is there for those who look for it.
#[must_use]
pub fn faint(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        text.dimmed().to_string()
    }
}

/// A duration as people say it: `850ms`, `12.3s`, `2m 05s`, `1h 02m`.
#[must_use]
pub fn took(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms}ms"),
        1..60 => format!("{seconds}.{}s", ms % 1000 / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A size as people say it: `312 B`, `4.0 KiB`, `112.4 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    let (unit, name) = match count {
        0..1024 => return format!("{count} B"),
        1024..0x10_0000 => (1024, "KiB"),
        0x10_0000..0x4000_0000 => (0x10_0000, "MiB"),
        _ => (0x4000_0000_u64, "GiB"),
    };
    format!("{}.{} {name}", count / unit, count % unit * 10 / unit)
}

/// A number with its noun: `1 host`, `3 hosts`, `2 batches`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    let plural = match noun {
        _ if number == 1 => "",
        _ if noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{number} {noun}{plural}")
}

/// The text filled up with spaces to a width in characters.
#[must_use]
pub fn pad(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

/// Text from outside made harmless: no escape sequences, no control characters, one line.
///
/// A host's own words end up on the operator's terminal; they must not move its cursor.
#[must_use]
pub fn clean(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    let spaced: String = plain
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    spaced.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_as_people_say_them() {
        let said: Vec<_> = [0, 850, 12_345, 125_000, 3_725_000]
            .into_iter()
            .map(took)
            .collect();
        assert_eq!(said, ["0ms", "850ms", "12.3s", "2m 05s", "1h 02m"]);
        let said: Vec<_> = [312, 4096, 117_860_000, 3 << 30]
            .into_iter()
            .map(bytes)
            .collect();
        assert_eq!(said, ["312 B", "4.0 KiB", "112.4 MiB", "3.0 GiB"]);
        assert_eq!(count(1, "host"), "1 host");
        assert_eq!(count(0, "batch"), "0 batches");
    }

    #[test]
    fn a_hosts_words_cannot_move_the_cursor() {
        assert_eq!(
            clean("\x1b[2J\x1b[1;31mboom\x1b[0m\r\nat\tline 3 "),
            "boom  at line 3"
        );
    }
}
