//! Each oracle, on what is good and on each of its unsafe cases.

mod healed;
mod oracle;
mod record;
