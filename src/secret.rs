//! What the name of a setting says about its value: which values are secret, and texts with these hidden.

use std::sync::LazyLock;

use regex_lite::Regex;

/// What stands in a secret's place.
pub const DOTS: &str = "••••";

/// What the names of secret settings have in them.
const TELLING: &str = r"passw(?:or)?d|passphrase|secret|jaas|token|credential|(?:keystore|private|api|access)[._-]?key";

static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("(?i){TELLING}")));
/// A telling name and what is given to it, anywhere in a line: `password=x`, `"secret": "x"`, `--token x`.
static GIVEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r#"(?i)([\w.\-]*(?:{TELLING})[\w.\-]*["']?\s*[=:]\s*|--?[\w\-]*(?:{TELLING})[\w\-]*\s+)\S.*"#
    ))
});
/// The same inside a value: `… password="x";`, and the password of a login in an address.
static INNER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r#"(?i)(?:{TELLING})\w*\s*[=:]\s*(?:"([^"]+)"|'([^']+)'|([^"';\s]+))|://[^/\s:@]*:([^/\s@]+)@"#
    ))
});
/// A user and a password in an address.
static LOGIN: LazyLock<Regex> = LazyLock::new(|| pattern(r"://[^/\s@]+@"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns of this module are good")
}

/// Whether the value of a setting of this name is secret.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    NAME.is_match(name)
}

/// A line of a settings file with its value hidden, if its key is that of a secret.
#[must_use]
pub fn hide_line(line: &str) -> String {
    match secret_at(line) {
        Some(at) => format!("{}{DOTS}", &line[..at]),
        None => line.to_owned(),
    }
}

/// Where the value begins, in a line that gives one to a secret's key.
fn secret_at(line: &str) -> Option<usize> {
    let at = line.find(['=', ':'])?;
    is_secret(&line[..at]).then_some(at + 1)
}

/// Any text with all hidden that looks like a secret: values behind telling names, private keys, logins in
/// addresses. Rather too much than too little.
#[must_use]
pub fn hide_all(text: &str) -> String {
    let mut inside = false;
    let lines = text.split('\n').map(|line| {
        let begins = line.contains("-----BEGIN") && line.contains("PRIVATE KEY");
        inside |= begins;
        let hidden = inside;
        inside &= !line.contains("-----END");
        if hidden {
            return DOTS.to_owned();
        }
        let line = hide_line(line);
        let line = GIVEN.replace_all(&line, format!("${{1}}{DOTS}"));
        LOGIN.replace_all(&line, format!("://{DOTS}@")).into_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The values that settings files give to secrets' keys.
#[must_use]
pub fn values(text: &str) -> Vec<String> {
    let value = |line: &str| secret_at(line).map(|at| line[at..].trim().to_owned());
    text.lines()
        .filter_map(value)
        .flat_map(|v| parts(&v))
        .collect()
}

/// A secret value, and the secrets inside it, each of which may turn up alone.
#[must_use]
pub fn parts(value: &str) -> Vec<String> {
    let inner = INNER.captures_iter(value).filter_map(|found| {
        let mut groups = found.iter().skip(1).flatten();
        groups.next().map(|part| part.as_str().to_owned())
    });
    let whole = value.trim_matches(['"', '\'']).to_owned();
    std::iter::once(whole)
        .chain(inner)
        .filter(|part| is_worth_looking_for(part))
        .collect()
}

/// Truths and small numbers are in every text: hidden where they stand, and not looked for elsewhere.
fn is_worth_looking_for(value: &str) -> bool {
    let is_truth = matches!(
        value.to_lowercase().as_str(),
        "true" | "false" | "none" | "null"
    );
    let is_small = value.len() < 6 && value.chars().all(|c| c.is_ascii_digit());
    !is_truth && !is_small && !value.contains(DOTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_hidden_and_nothing_else() {
        for (line, hidden) in [
            (
                "ssl.keystore.password=hunter2",
                "ssl.keystore.password=••••",
            ),
            ("sasl.jaas.config=x password=y", "sasl.jaas.config=••••"),
            ("num.partitions=3", "num.partitions=3"),
            ("no value with a password", "no value with a password"),
        ] {
            assert_eq!(hide_line(line), hidden);
        }
    }

    #[test]
    fn free_text_is_searched_for_what_looks_like_a_secret() {
        for (text, hidden) in [
            (
                "[12:01] INFO ssl.key.password = x y",
                "[12:01] INFO ssl.key.password = ••••",
            ),
            ("say {\"apiKey\": \"x\"}", "say {\"apiKey\":••••"),
            ("run --token x --verbose", "run --token ••••"),
            (
                "-Djavax.net.ssl.keyStorePassword=x",
                "-Djavax.net.ssl.keyStorePassword=••••",
            ),
            ("from http://me:pw@host/x", "from http://••••@host/x"),
            (
                "a\n-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nb",
                "a\n••••\n••••\n••••\nb",
            ),
            ("Created 3 partitions", "Created 3 partitions"),
        ] {
            assert_eq!(hide_all(text), hidden);
        }
    }

    #[test]
    fn what_is_inside_a_value_is_a_secret_by_itself() {
        let text =
            "a.jaas.config=Login required user=\"me\" password=\"hunter2\";\nx=1\nb.token=true\n";
        let found = values(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[1], "hunter2");
        assert_eq!(parts("x password='two words';")[1], "two words");
        assert_eq!(parts("http://me:hunter2@host/")[1], "hunter2");
    }
}
