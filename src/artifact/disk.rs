//! What all that works on the cache's files shares: names, locks, and time off the runtime.

use super::{ArtifactError, Listener, Progress};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Waits until no other process works on the same file of the cache; it ends with the value.
pub(crate) async fn alone(file: &Path, progress: Listener<'_>) -> Result<File, ArtifactError> {
    let path = beside(file, ".lock");
    let lock = File::create(&path).map_err(ArtifactError::io(&path))?;
    match lock.try_lock() {
        Ok(()) => return Ok(lock),
        Err(TryLockError::Error(error)) => return Err(ArtifactError::io(&path)(error)),
        Err(TryLockError::WouldBlock) => progress(Progress::Waiting),
    }
    blocking(move || lock.lock().map(|()| lock).map_err(ArtifactError::io(&path))).await
}

/// Runs what reads or writes big files off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ArtifactError::Tool {
            why: format!("stopped: {error}"),
        }),
    }
}

/// The same path with more at its end.
pub(crate) fn beside(file: &Path, more: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(more);
    name.into()
}
