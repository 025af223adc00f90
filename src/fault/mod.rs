//! What breaks a cluster on purpose, and how it is known that it did.
//!
//! ```text
//! words (YAML) ─▶ target ─▶ host: keep the end, begin the fault ─▶ watch ─▶ host: end it ─▶ whole again
//!                                     └── a load beside it, a process of its own ──┘        └▶ judged
//! ```
//! [`words`] and [`proof`] are pure. What ends a fault is on its host before the fault begins, and a timer there
//! uses it when nobody else does: a drill that is cut off leaves nothing behind.

mod beside;
pub mod drill;
pub mod host;
mod lose;
mod moving;
mod own;
pub mod proof;
mod restart;
mod target;
mod watch;
mod whole;
pub mod words;
