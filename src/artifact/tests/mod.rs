//! The whole way of a package, from a request to the file.

mod apt;
mod bundle;
mod download;
mod made;
mod places;
