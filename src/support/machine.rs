//! The program and the machine that it runs on, in words.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use crate::catalogue::Catalogue;

/// Version, system, SSH client, and the services that are known.
pub(super) fn about(catalogue: &Catalogue) -> String {
    let mut text = format!("sdtd {}\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "system: {}", said("uname", &["-srm"]));
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
    let _ = writeln!(
        text,
        "distribution: {}",
        name.unwrap_or("?").trim_matches('"')
    );
    let _ = writeln!(text, "ssh: {}", said("ssh", &["-V"]));
    for (name, folder) in catalogue.iter() {
        let versions: Vec<&str> = folder
            .descriptor
            .versions
            .keys()
            .map(String::as_str)
            .collect();
        let _ = writeln!(
            text,
            "service {name}: {} ({})",
            versions.join(", "),
            folder.origin
        );
    }
    text
}

/// The first line that a program says, on whichever stream.
fn said(program: &str, words: &[&str]) -> String {
    let ran = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output();
    let ran = match ran {
        Ok(ran) => [ran.stdout, ran.stderr].concat(),
        Err(error) => return error.to_string(),
    };
    let text = String::from_utf8_lossy(&ran).into_owned();
    text.lines().next().unwrap_or("?").to_owned()
}

/// A moment (seconds since 1970) as `20261121-144029`, in UTC.
#[must_use]
pub fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days are counted from the first of March, so that the leap day is a year's last.
    let day = days + 719_468;
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month < 3);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{date:02}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_as_dates() {
        for (seconds, told) in [
            (0, "19700101-000000"),
            (951_782_400, "20000229-000000"),
            (1_709_251_199, "20240229-235959"),
            (1_795_272_029, "20261121-144029"),
            (4_107_542_400, "21000301-000000"),
        ] {
            assert_eq!(stamp(seconds), told);
        }
    }
}
