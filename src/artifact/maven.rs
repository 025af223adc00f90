//! Packages assembled from locked jars, fetched by the operator's own `mvn`.
//!
//! Maven knows the company's mirror, proxy and passwords; asking it for each jar by its
//! coordinate, without what the jar depends on, needs nothing else from the repository.

use super::lock::Lock;
use super::sum::{Expected, Sums};
use super::{ArtifactError, Listener, Progress, pack};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

/// Named in full: looking for a short name waits on a dead network for each place it may be.
const GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:copy";

/// As long as one big jar may take on a slow line; Maven says nothing in between.
const SILENCE: Duration = Duration::from_secs(300);

/// The client, and whether it may use the network.
#[derive(Clone, Debug)]
pub(crate) struct Maven {
    pub(crate) program: PathBuf,
    pub(crate) offline: bool,
}

/// How a run of Maven failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: ArtifactError,
    /// The repository could not be reached, so the next run need not wait for it again.
    pub(crate) network: bool,
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        Self {
            error,
            network: false,
        }
    }
}

impl Maven {
    /// Fetches the jars into a folder of `work`, checks each, and writes the tree to its file `package`.
    pub(crate) async fn assemble(
        &self,
        lock: &Lock,
        into: &str,
        work: &Path,
        progress: Listener<'_>,
    ) -> Result<(), Failure> {
        let jars = work.join("jars");
        let pom = work.join("pom.xml");
        fs::write(&pom, project(lock, &jars)).map_err(ArtifactError::io(&pom))?;
        self.run(lock, work, progress).await?;
        let (lock, into, out) = (lock.clone(), PathBuf::from(into), work.join("package"));
        let packed = super::disk::blocking(move || {
            let tree = check(&lock, &jars, &into)?;
            pack::into_file(&out, |file| pack::plain(&tree, file))
        });
        Ok(packed.await?)
    }

    async fn run(&self, lock: &Lock, work: &Path, progress: Listener<'_>) -> Result<(), Failure> {
        let mut command = Command::new(&self.program);
        command
            .args([
                "-B",
                "-Dstyle.color=never",
                "-Daether.connector.connectTimeout=5000",
            ])
            // Maven 3.8 waits for a connection as long as the longer of the two says.
            .args(["-Daether.connector.requestTimeout=10000", GOAL])
            // A jar that was missing yesterday may be there today; offline, what is here is used.
            .arg(if self.offline { "-o" } else { "-U" })
            .current_dir(work)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| self.missing(&error))?;
        let said = match child.stdout.take() {
            Some(stdout) => listen(stdout, lock, progress).await?,
            None => Vec::new(),
        };
        let status = child
            .wait()
            .await
            .map_err(ArtifactError::io(&self.program))?;
        if status.success() {
            Ok(())
        } else {
            Err(failure(&said, status))
        }
    }

    fn missing(&self, error: &std::io::Error) -> ArtifactError {
        let program = self.program.display();
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => format!("`{program}` is not installed here"),
            _ => format!("`{program}` can't be run: {error}"),
        };
        ArtifactError::Tool { why }
    }
}

/// Counts the jars Maven speaks of, and keeps its errors.
async fn listen(
    stdout: ChildStdout,
    lock: &Lock,
    progress: Listener<'_>,
) -> Result<Vec<String>, Failure> {
    let names: BTreeSet<String> = lock
        .jars
        .iter()
        .map(|jar| jar.coordinate.file_name())
        .collect();
    let (mut seen, mut errors) = (BTreeSet::new(), Vec::new());
    let mut lines = BufReader::new(stdout).lines();
    loop {
        let line = match timeout(SILENCE, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(_) => return Ok(errors),
            Err(_) => {
                let why = format!("mvn said nothing for {} seconds", SILENCE.as_secs());
                return Err(Failure {
                    error: ArtifactError::Tool { why },
                    network: true,
                });
            }
        };
        if let Some(error) = line.strip_prefix("[ERROR] ") {
            errors.push(error.trim().to_owned());
        } else if line.contains("Downloaded from") || line.contains("Copying ") {
            let named = |word: &str| names.get(word.rsplit('/').next().unwrap_or(word)).cloned();
            if let Some(name) = line.split_whitespace().find_map(named)
                && seen.insert(name)
            {
                progress(Progress::Jars {
                    done: seen.len(),
                    total: names.len(),
                });
            }
        }
    }
}

fn failure(errors: &[String], status: ExitStatus) -> Failure {
    const NETWORK: [&str; 6] = [
        "Could not transfer",
        "Connect to ",
        "Connection refused",
        "timed out",
        "Unknown host",
        "unknown host",
    ];
    let network = errors
        .iter()
        .any(|line| NETWORK.iter().any(|word| line.contains(word)));
    let first = errors.iter().find(|line| !line.is_empty()).map(|line| {
        let line = line.split(" -> [Help").next().unwrap_or(line);
        line.split_once("(default-cli) on project package: ")
            .map_or(line, |(_, why)| why)
    });
    let why = match first {
        Some(line) => format!("mvn: {line}"),
        None => format!("mvn ended with {status}"),
    };
    Failure {
        error: ArtifactError::Tool { why },
        network,
    }
}

/// Checks each jar against the lock and tells where in the tree it goes.
fn check(lock: &Lock, jars: &Path, into: &Path) -> Result<pack::Tree, ArtifactError> {
    let mut tree = pack::Tree::new();
    for jar in &lock.jars {
        let name = jar.coordinate.file_name();
        let file = jars.join(&name);
        let what = format!("{} from the Maven repository", jar.coordinate);
        Sums::of(&file)?.check(&what, &Expected::Sha256(jar.sha256.clone()))?;
        tree.insert(into.join(&name), file);
    }
    Ok(tree)
}

/// A project that does nothing but name the jars.
fn project(lock: &Lock, jars: &Path) -> String {
    let mut items = String::new();
    for jar in &lock.jars {
        let of = &jar.coordinate;
        let classifier = of.classifier.as_ref();
        let classifier = classifier.map(|c| format!("<classifier>{c}</classifier>"));
        // A String takes all that is written. Coordinates hold no character special to XML.
        let _ = writeln!(
            items,
            "<artifactItem><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>\
             {}<destFileName>{}</destFileName></artifactItem>",
            of.group,
            of.artifact,
            of.version,
            classifier.unwrap_or_default(),
            of.file_name(),
        );
    }
    let out = crate::xml::escaped(&jars.display().to_string());
    format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>sdtd</groupId>\
         <artifactId>package</artifactId><version>1</version><packaging>pom</packaging>\
         <build><plugins><plugin><groupId>org.apache.maven.plugins</groupId>\
         <artifactId>maven-dependency-plugin</artifactId><configuration>\
         <outputDirectory>{out}</outputDirectory>\n<artifactItems>\n{items}</artifactItems>\
         </configuration></plugin></plugins></build></project>\n"
    )
}
