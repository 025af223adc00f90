//! The services that sdtd knows: folders of data, embedded in the binary or given by the user.

mod data;
pub mod descriptor;
mod front;
mod live;
mod load;
mod probe;
mod reference;
pub mod render;
mod role;
mod scale;
mod version;
mod way;
mod when;

pub use descriptor::{Descriptor, Probe, Role};
pub use live::{LiveKey, LiveKeys, live_keys};
pub use load::{Catalogue, CatalogueError, DrillFile, Folder};
pub use reference::{catalogue_reference, reference_of};
pub use render::{RenderError, Renderer};
