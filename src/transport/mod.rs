//! How hosts are reached.

pub mod stream;
pub use stream::{BoxStream, Dial};
