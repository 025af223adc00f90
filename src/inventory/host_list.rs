//! A list of hosts as people type it: addresses, ranges of them, and names of their own.

use crate::event::Problem;
use crate::id::HostName;

use super::address;

/// The longest range: more hosts than a cluster has are a slip of the finger.
const LONGEST: u32 = 1000;

/// Reads `pi1.local pi2.local`, `pi[1-5].local`, `db=10.0.0.7`; commas and blanks part the hosts.
///
/// # Errors
/// When any of it is no address or no name: all of what is wrong.
pub fn host_list(text: &str) -> Result<Vec<(HostName, String)>, Vec<Problem>> {
    let parts = text
        .split([',', ' ', '\t', '\n'])
        .filter(|part| !part.is_empty());
    let (mut hosts, mut problems) = (Vec::new(), Vec::new());
    for part in parts {
        match expand(part) {
            Ok(some) => some.into_iter().for_each(|(own, address)| {
                add(&mut hosts, &mut problems, own, &address);
            }),
            Err(problem) => problems.push(problem),
        }
    }
    if hosts.is_empty() && problems.is_empty() {
        let help = "write addresses such as `pi1.local pi2.local`, or `pi[1-5].local`";
        problems.push(Problem::new("there are no hosts").help(help));
    }
    if problems.is_empty() {
        Ok(hosts)
    } else {
        Err(problems)
    }
}

/// One part of the list as its hosts: a name of its own, where it is given, and the address.
fn expand(part: &str) -> Result<Vec<(Option<&str>, String)>, Problem> {
    let (own, address) = match part.split_once('=') {
        Some((name, address)) => (Some(name), address),
        None => (None, part),
    };
    let Some((before, rest)) = address.split_once('[') else {
        return Ok(vec![(own, address.to_owned())]);
    };
    let wrong = |cause: &str| {
        let help = "write a range as `pi[1-5].local`, the smaller number first";
        Problem::new(format!("`{part}`: {cause}")).help(help)
    };
    if own.is_some() {
        return Err(wrong("one name for several hosts"));
    }
    let (range, after) = rest
        .split_once(']')
        .ok_or_else(|| wrong("`[` without its `]`"))?;
    let (from, to) = range
        .split_once('-')
        .ok_or_else(|| wrong("no range in its brackets"))?;
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| wrong("no numbers in its brackets"))
    };
    let (first, last) = (number(from)?, number(to)?);
    if last < first || last - first >= LONGEST {
        return Err(wrong("a range that is empty or far too long"));
    }
    // `[01-12]` keeps its zeros.
    let width = if from.starts_with('0') { from.len() } else { 0 };
    let one = |n: u32| (None, format!("{before}{n:0width$}{after}"));
    Ok((first..=last).map(one).collect())
}

fn add(
    hosts: &mut Vec<(HostName, String)>,
    problems: &mut Vec<Problem>,
    own: Option<&str>,
    address: &str,
) {
    if let Err(bad) = address::check(address) {
        let cause = format!("`{address}` is not an address: {}", bad.cause);
        problems.push(Problem::new(cause).help(bad.help));
        return;
    }
    if hosts.iter().any(|(_, other)| other == address) {
        problems.push(Problem::new(format!("`{address}` is listed twice")).help("name it once"));
        return;
    }
    let taken = |name: &HostName| hosts.iter().any(|(other, _)| other == name);
    let name = match own {
        Some(name) => name.parse().ok(),
        None => name_for(address, hosts.len() + 1, &taken),
    };
    match name.filter(|name| !taken(name)) {
        Some(name) => hosts.push((name, address.to_owned())),
        None => {
            let cause = match own {
                Some(name) => format!("`{name}` is taken, or not a name for a host"),
                None => format!("there is no name left for `{address}`"),
            };
            problems.push(Problem::new(cause).help(
                "write `name=address`; names are lower-case letters, digits and inner dashes, beginning with a letter",
            ));
        }
    }
}

/// A host's name by its address: its first part, all of it where that is taken, else its place in the list.
fn name_for(address: &str, nth: usize, taken: &impl Fn(&HostName) -> bool) -> Option<HostName> {
    let lower = address.trim_end_matches('.').to_lowercase();
    let first = lower.split('.').next().unwrap_or_default().to_owned();
    [first, lower.replace('.', "-"), format!("h{nth}")]
        .iter()
        .filter_map(|name| name.parse().ok())
        .find(|name| !taken(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> String {
        let pairs = host_list(text).unwrap_or_else(|problems| panic!("{problems:?}"));
        let pairs: Vec<String> = pairs.iter().map(|(n, a)| format!("{n}={a}")).collect();
        pairs.join(" ")
    }

    #[test]
    fn hosts_get_names_by_their_addresses() {
        for (text, wanted) in [
            ("pi1.local, pi2.local", "pi1=pi1.local pi2=pi2.local"),
            (
                "pi[9-11].local",
                "pi9=pi9.local pi10=pi10.local pi11=pi11.local",
            ),
            ("n[01-02]", "n01=n01 n02=n02"),
            ("10.0.0.[7-8]", "h1=10.0.0.7 h2=10.0.0.8"),
            ("a.x.org a.y.org", "a=a.x.org a-y-org=a.y.org"),
            ("db=10.0.0.7 PI1.Local", "db=10.0.0.7 pi1=PI1.Local"),
        ] {
            assert_eq!(named(text), wanted, "{text}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let problems = host_list("pi_1 pi2:22 a a x=b x=c pi[5-1] pi[1 p=pi[1-2] [a-b]");
        let problems = problems.expect_err("nearly all of it is wrong");
        assert_eq!(problems.len(), 8, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.help.is_some()));
        assert!(host_list(" , ").is_err());
    }
}
