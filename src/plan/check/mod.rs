//! Preflight: whether the hosts can take what is placed on them, all of it looked at before anything changes.
//!
//! Each check of each host passes, warns or fails. A failed one stops `deploy` before it begins; what only
//! warns is told. Pure: it judges the facts.

mod board;
mod fleet;
mod host;
mod names;

use serde::Serialize;

use crate::event::Problem;
use crate::id::HostName;
use crate::plan::context::Context;
use crate::plan::desired::Desired;
use crate::plan::mend::Mend;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All is well.
    Pass,
    /// It will work, not well or not for ever.
    Warn,
    /// It will not work.
    Fail,
}

/// A check of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, such as `memory`.
    pub what: &'static str,
    /// The host.
    pub host: HostName,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What sdtd can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<Mend>,
}

impl Check {
    fn pass(what: &'static str, host: &HostName, found: impl Into<String>) -> Self {
        Self {
            what,
            host: host.clone(),
            verdict: Verdict::Pass,
            found: found.into(),
            help: None,
            mend: None,
        }
    }

    /// With what sdtd can do about it by itself, where it can.
    fn mended_by(self, mend: Option<Mend>) -> Self {
        let word = "; `sdtd check --apply` does it";
        let help = self.help.map(|help| match mend {
            Some(_) => help + word,
            None => help,
        });
        Self { help, mend, ..self }
    }

    /// Whether it found the same as another, maybe of another host.
    fn is_like(&self, other: &Self) -> bool {
        (self.what, self.verdict, &self.found, &self.help)
            == (other.what, other.verdict, &other.found, &other.help)
    }

    fn warn(self, help: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            help: Some(help.into()),
            ..self
        }
    }

    fn fail(self, help: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            help: Some(help.into()),
            ..self
        }
    }
}

/// All checks of all hosts that were asked.
#[must_use]
pub fn checks(context: &Context<'_>, desired: &[Desired]) -> Vec<Check> {
    let mut all = Vec::new();
    for (name, host) in context.cluster.staying() {
        if let Some(facts) = context.facts.get(name) {
            all.extend(host::checks(context, (host, facts), desired));
            all.extend(names::checks(context, (host, facts), desired));
            all.extend(board::ports(context, (host, facts), desired));
            all.push(board::memory(context, name, desired));
        }
    }
    all.extend(fleet::checks(context));
    all
}

/// Checks that found the same, each with all its hosts.
#[must_use]
pub fn alike<'a>(checks: impl Iterator<Item = &'a Check>) -> Vec<(String, &'a Check)> {
    let mut groups: Vec<(String, &Check)> = Vec::new();
    for check in checks {
        match groups.iter_mut().find(|(_, other)| check.is_like(other)) {
            Some((hosts, _)) => {
                hosts.push_str(", ");
                hosts.push_str(check.host.as_str());
            }
            None => groups.push((check.host.to_string(), check)),
        }
    }
    groups
}

/// Those that ended so, as problems.
#[must_use]
pub fn problems(checks: &[Check], verdict: Verdict) -> Vec<Problem> {
    let these = checks.iter().filter(|check| check.verdict == verdict);
    let problem = |(hosts, check): (String, &Check)| Problem {
        cause: format!("{hosts}: {}", check.found),
        log: Vec::new(),
        help: check.help.clone(),
    };
    alike(these).into_iter().map(problem).collect()
}
