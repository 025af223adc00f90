//! The cases, in the order in which they run: those that want bare hosts, then those that share a cluster.

mod clients;
mod first;
mod folder;
mod roll;

use super::{Case, Done};

/// All of them.
pub const ALL: &[Case] = &[
    ("folder", folder::folder),
    ("first", first::first),
    ("kcat", clients::kcat),
    ("roll", roll::roll),
];
