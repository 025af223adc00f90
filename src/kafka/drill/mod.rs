//! The measuring half of drills: a load whose every acknowledgement is kept, and the verdict on it afterwards.
//!
//! ```text
//! load ─ producer, reader along ─▶ record (a file)
//! check ─ record + fresh readings under every leader + settings + state of the cluster ─▶ oracle ─▶ Verdict
//! ```
//! [`oracle`], [`healed::judge`] and the reading of a [record](crate::drill::record) are pure. Producing and consuming is
//! librdkafka's work, as in users' own clients; what is asked of the cluster goes through the thin client.

#[cfg(feature = "rdkafka")]
mod check;
pub mod healed;
#[cfg(feature = "rdkafka")]
mod leaders;
#[cfg(feature = "rdkafka")]
mod load;
pub mod message;
pub mod oracle;
#[cfg(feature = "rdkafka")]
mod produce;
#[cfg(feature = "rdkafka")]
mod reading;
pub mod settings;
#[cfg(test)]
mod tests;

use crate::drill::record;

#[cfg(feature = "rdkafka")]
pub use check::check;
#[cfg(feature = "rdkafka")]
pub use load::prepare;
