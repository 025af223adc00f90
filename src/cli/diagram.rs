//! `sdtd diagram`: the architecture as a picture.

use clap::{Args, ValueEnum};

use super::{Global, InventoryArg, plan, print, setup};
use crate::diagram::{Diagram, mermaid, svg};
use crate::error::Failure;

/// The words of `diagram`.
#[derive(Debug, Args)]
pub struct DiagramArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    /// What it is drawn as.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Text that forges show as a picture, in a fenced block `mermaid`.
    #[default]
    Mermaid,
    /// A picture that any browser shows.
    Svg,
}

/// Runs `sdtd diagram`: no host is contacted.
///
/// # Errors
/// When there is no plan.
pub fn run(global: &Global, args: &DiagramArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let planned = plan::offline(&opened)?;
    let diagram = Diagram::new(&opened.loaded.cluster, &opened.catalogue, &planned.view);
    print(&match args.format {
        Format::Mermaid => mermaid(&diagram),
        Format::Svg => svg(&diagram),
    })
}
