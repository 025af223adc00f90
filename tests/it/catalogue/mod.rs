//! The catalogue as files: what its services render to, and what every service of it must keep to.

mod broken;
mod cases;
mod descriptors;
mod names;
mod packed;
mod render;
mod rules;
mod scripts;
