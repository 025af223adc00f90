//! The cases, in the order in which they run: those that want bare hosts, then those that share a cluster.

mod first;

use super::{Case, Done};

/// All of them.
pub const ALL: &[Case] = &[("first", first::first)];
