//! Which inventory a command is about, where none is named.

use std::path::{Path, PathBuf};

use super::InventoryArg;
use super::dirs::Dirs;
use crate::error::{Failure, Kind};
use crate::event::Problem;

/// The inventory that is named, else the one at hand, else the one that was deployed last.
///
/// # Errors
/// When there is none of these.
pub fn inventory_path(arg: &InventoryArg, dirs: &Dirs) -> Result<PathBuf, Failure> {
    let given = arg
        .inventory
        .clone()
        .or_else(|| std::env::var_os("SDTD_INVENTORY").map(Into::into));
    let here = || Some(PathBuf::from("inventory.yaml")).filter(|path| path.is_file());
    let last = || {
        std::fs::read_to_string(last_file(dirs))
            .ok()
            .map(|text| text.trim().into())
    };
    given.or_else(here).or_else(last).ok_or_else(|| {
        Failure::new(
            Kind::Usage,
            Problem::new("no inventory: none was named, and there is no ./inventory.yaml")
                .help("`sdtd init` writes one; `sdtd deploy FILE` takes another"),
        )
    })
}

fn last_file(dirs: &Dirs) -> PathBuf {
    dirs.state.join("last-inventory")
}

/// Remembers the inventory that was deployed, so that the next command needs no name.
pub fn remember(dirs: &Dirs, path: &Path) {
    if let Ok(path) = std::path::absolute(path) {
        // Only a convenience: where it can't be written, the next command asks for a name.
        let _ = std::fs::create_dir_all(&dirs.state);
        let _ = std::fs::write(last_file(dirs), format!("{}\n", path.display()));
    }
}
