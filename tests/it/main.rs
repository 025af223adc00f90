//! Tests of the whole program from outside: one binary, so that it links once.

#![allow(clippy::panic, clippy::unwrap_used, reason = "all of it is tests")]

mod docs;
