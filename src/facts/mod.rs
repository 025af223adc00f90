//! What is: one script per host, one answer, one pure parser.

mod model;
mod parse;
mod request;

pub use model::{
    DirFact, Disk, FINALIZED_FORMAT, FileFact, HostFacts, Listener, RECORD_FORMAT, Reach, Record,
    UnitFact,
};
pub(crate) use parse::read_record;
pub use parse::{FactsError, parse};
pub use request::{FactsRequest, quote};
