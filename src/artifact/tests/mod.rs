//! The whole way of a package, from a request to the file.

mod download;
mod made;
mod places;
