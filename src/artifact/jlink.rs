//! Java runtimes linked from the operator's JDK: the tree of a JRE with the modules asked for.

use super::jdk::Jdk;
use super::{ArtifactError, pack};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Links the runtime in `work` and writes it to the file `package` there, as tar.gz.
pub(crate) async fn link(jdk: &Jdk, modules: &[String], work: &Path) -> Result<(), ArtifactError> {
    let image = work.join("image");
    let tool = jdk.home.join("bin/jlink");
    let run = Command::new(&tool)
        // Not compressed inside: gzip over the whole makes a smaller file to send, and classes
        // load faster. Native libraries come stripped, so no objcopy is needed.
        .args([
            "--strip-java-debug-attributes",
            "--no-header-files",
            "--no-man-pages",
        ])
        .arg("--add-modules")
        .arg(modules.join(","))
        .arg("--output")
        .arg(&image)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = run.await.map_err(ArtifactError::io(&tool))?;
    if !ended.status.success() {
        let said = [ended.stderr, ended.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        let line = said
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("no reason given");
        return Err(ArtifactError::Tool {
            why: format!("jlink: {}", line.trim()),
        });
    }
    let out = work.join("package");
    super::disk::blocking(move || {
        let tree = pack::below(&image).map_err(ArtifactError::io(&image))?;
        pack::into_file(&out, |file| pack::gzipped(&tree, file))
    })
    .await
}
