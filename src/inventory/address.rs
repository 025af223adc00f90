//! What may stand for a host's address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a text is no address, and what to write.
pub(super) struct BadAddress {
    pub(super) cause: &'static str,
    pub(super) help: &'static str,
}

/// Checks the address of a host: a name as DNS knows it, or an IPv4 address.
pub(super) fn check(text: &str) -> Result<(), BadAddress> {
    let bad = |cause, help| Err(BadAddress { cause, help });
    const EXAMPLE: &str =
        "write a host name such as `pi1.local`, or an IPv4 address such as `192.168.1.11`";
    if text.is_empty() {
        return bad("it is empty", EXAMPLE);
    }
    if text.contains('@') {
        return bad(
            "it holds a user",
            "write the user under `ssh: { user: … }`, and the host alone here",
        );
    }
    if text.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok() {
        return bad(
            "IPv6 addresses are not supported",
            "give the host a name, and write that",
        );
    }
    if let Some((_, port)) = text.rsplit_once(':') {
        let port = port.parse::<u16>().is_ok();
        let help = if port {
            "write the port under `ssh: { port: … }`, and the host alone here"
        } else {
            EXAMPLE
        };
        return bad(
            if port {
                "it holds a port"
            } else {
                "it holds a colon"
            },
            help,
        );
    }
    if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return match text.parse::<Ipv4Addr>() {
            Ok(ip) if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() => bad(
                "no single host has it",
                "write the address that other hosts reach it by",
            ),
            Ok(_) => Ok(()),
            Err(_) => bad("IPv4 addresses are four numbers from 0 to 255", EXAMPLE),
        };
    }
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let edges = !label.starts_with('-') && !label.ends_with('-');
        (1..=63).contains(&label.len()) && edges && label.chars().all(inner)
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > 253 || !name.split('.').all(label) {
        return bad("host names are letters, digits, dashes and dots", EXAMPLE);
    }
    Ok(())
}

/// Whether an address means the machine that it is used on.
pub(super) fn is_loopback(text: &str) -> bool {
    text == "localhost" || text.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// 127.0.0.2 for the first local host, and so on.
pub(super) fn nth_loopback(nth: u32) -> String {
    Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST).saturating_add(nth)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_names_or_ipv4() {
        for good in [
            "pi1",
            "pi1.local",
            "PI1.example.org.",
            "192.168.1.11",
            "127.0.0.2",
            "3com.example",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "pi@pi1",
            "pi1:22",
            "fe80::1",
            "[fe80::1]",
            "192.168.1",
            "192.168.1.300",
            "0.0.0.0",
            "-oProxyCommand=x",
            "pi 1",
            "pi_1",
            "a..b",
            "224.0.0.1",
            "pi1;reboot",
            "http://pi1",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
