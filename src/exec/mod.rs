//! Does what a plan says, and makes no choices.

pub mod script;
