//! Where sdtd keeps things on this machine.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::error::{Failure, Kind};

/// The folders of this machine's user.
#[derive(Debug, Clone)]
pub struct Dirs {
    /// What can be made again.
    pub cache: PathBuf,
    /// Logs of runs.
    pub state: PathBuf,
    /// Roots of local hosts.
    pub data: PathBuf,
}

impl Dirs {
    /// All below `$SDTD_HOME` if that is set, else where the XDG rules put them.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn find() -> Result<Self, Failure> {
        if let Some(home) = std::env::var_os("SDTD_HOME").map(PathBuf::from) {
            let home = std::path::absolute(&home).unwrap_or(home);
            let below = |name: &str| home.join(name);
            return Ok(Self {
                cache: below("cache"),
                state: below("state"),
                data: below("local"),
            });
        }
        let base = etcetera::choose_base_strategy()
            .map_err(|e| Failure::of(Kind::Usage, format!("no home directory: {e}")))?;
        let state = base.state_dir().unwrap_or_else(|| base.data_dir());
        Ok(Self {
            cache: base.cache_dir().join("sdtd"),
            state: state.join("sdtd"),
            data: base.data_dir().join("sdtd/local"),
        })
    }
}
