//! Tests over files and over the library as a whole: one binary, so that it links once.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it` writes every golden file anew; read the difference before it is kept.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "all of it is tests"
)]

mod apt;
mod bundle;
mod catalogue;
mod conformance;
mod dial;
mod docs;
mod fan_out;
mod golden;
mod guide;
mod hooks;
mod hostile;
mod init;
mod lab;
mod lock;
mod mend;
mod scale;
mod scenarios;
mod setup;
mod support;
mod this_machine;
mod timings;
mod typed;
mod upstream;

/// Whether all is run, and in full; else some of it stands for all.
fn full() -> bool {
    std::env::var("SDTD_FULL").as_deref() == Ok("1")
}
