//! sdtd turns a handful of Linux hosts into a correct, highly available data cluster.
//!
//! ```text
//! inventory.yaml ─ parse, check ─▶ Cluster          what should be
//! hosts ─ one round trip each ──▶ Facts            what is
//! Cluster + Facts + Catalogue ──▶ Plan             pure, deterministic, serialisable
//! Plan ─────────────────────────▶ Executor         makes no choices
//! Executor ─────────────────────▶ Event ─▶ Reporter (terminal | plain | JSON | log file)
//!                               └▶ Verify, then plan again: the new plan is empty
//! ```

pub mod artifact;
pub mod catalogue;
pub mod cli;
pub mod diagram;
pub mod digest;
pub mod drill;
pub mod driver;
pub mod error;
pub mod event;
pub mod exec;
pub mod facts;
pub mod fault;
pub mod flow;
pub mod id;
pub mod inventory;
pub mod kafka;
pub mod lock;
pub mod plan;
pub mod report;
pub mod secret;
pub mod support;
pub mod transport;
pub mod verify;
mod words;
pub mod xml;
