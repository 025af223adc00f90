//! The services that sdtd knows: folders of data, embedded in the binary or given by the user.

pub mod descriptor;
mod load;
pub mod render;

pub use descriptor::{Descriptor, Probe, Role};
pub use render::{RenderError, Renderer};
pub use load::{Catalogue, CatalogueError, Folder};
