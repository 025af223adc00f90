//! How a command ends: the only place that knows exit codes.

use std::fmt;

use crate::event::Problem;

/// Why a command did not succeed; each kind has an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something failed.
    Failed,
    /// Wrong use, or a wrong inventory.
    Usage,
    /// A host could not be reached.
    Unreachable,
    /// What was built does not do what it should.
    Unverified,
    /// Another run holds the cluster's lock.
    Locked,
    /// It would not be safe.
    Refused,
    /// Changes are pending (`plan --check`).
    Pending,
    /// It was interrupted.
    Interrupted,
}

impl Kind {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Unverified => 4,
            Self::Locked => 5,
            Self::Refused => 6,
            Self::Pending => 10,
            Self::Interrupted => 130,
        }
    }
}

/// The exit codes, as `--help` shows them.
pub const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong use or inventory, 3 host unreachable, 4 not verified or not well,
5 locked by another run, 6 refused as unsafe, 10 changes pending (plan --check), 130 interrupted";

/// A command's failure: a kind, and all its problems.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What kind of failure.
    pub kind: Kind,
    /// All problems.
    pub problems: Vec<Problem>,
}

impl Failure {
    /// A failure with one problem.
    #[must_use]
    pub fn new(kind: Kind, problem: Problem) -> Self {
        Self {
            kind,
            problems: vec![problem],
        }
    }

    /// A failure with one cause.
    #[must_use]
    pub fn of(kind: Kind, cause: impl Into<String>) -> Self {
        Self::new(kind, Problem::new(cause))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", problem.cause)?;
            for line in &problem.log {
                write!(f, "\n  | {line}")?;
            }
            if let Some(help) = &problem.help {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
