//! Looks into the packages on the hosts, file by file: `--deep`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::offers::Found;
use super::{Facts, Flow};
use crate::artifact::{self, Artifact};
use crate::error::{Failure, Kind};
use crate::facts::quote;
use crate::plan::packages::{self, PackageKey};
use crate::transport::RemoteError;

/// The longest that a host may take to read a package's files.
const WITHIN: Duration = Duration::from_secs(300);

impl Flow {
    /// Compares every file of the packages on the hosts with the archives they came from, as far as these are to
    /// be had; what differs goes into the facts. What can't be compared is told.
    ///
    /// # Errors
    /// When an archive can't be fetched or read.
    pub(super) async fn look_deep(&self, facts: &mut Facts, fetch: bool) -> Result<(), Failure> {
        let placement = self.placement(facts);
        let there = packages::there(&self.cluster, &self.catalogue, &placement, facts);
        let keys = there.iter().map(|(_, key, _)| key.clone()).collect();
        let archives = self.archives(keys, fetch).await?;
        let mut tasks = JoinSet::new();
        for (host, key, home) in there {
            let sums = archives.get(&key).filter(|archive| archive.is_of(&home));
            let Some(sums) = sums.map(|archive| Arc::clone(&archive.sums)) else {
                let text = format!(
                    "{} on {host} was not looked into: the package that it came from is not on this machine",
                    key.0
                );
                let help =
                    "run it where that was deployed from, or name the package with `--packages`";
                self.events.warn(text, Some(help));
                continue;
            };
            let fleet = Arc::clone(&self.fleet);
            tasks.spawn(async move {
                let mut wrong = BTreeSet::new();
                let mut line = |path: &str| _ = wrong.insert(path.to_owned());
                let script = script(&home, &sums);
                let ran = fleet.get(&host)?.command(&script, WITHIN, &mut line).await;
                Some((host, key.0, home, cut_off(ran).map_or(Ok(wrong), Err)))
            });
        }
        for (host, service, home, looked) in tasks.join_all().await.into_iter().flatten() {
            let wrong = match looked {
                Ok(wrong) => wrong,
                Err(why) => {
                    let text = format!("{service} on {host} was not looked into: {why}");
                    let help = "run the same command again; nothing is known of these files";
                    self.events.warn(text, Some(help));
                    continue;
                }
            };
            let tree = home.rsplit('/').next().unwrap_or_default().to_owned();
            if let (Some(facts), false) = (facts.get_mut(&host), wrong.is_empty()) {
                facts.damaged.insert(tree, wrong);
            }
        }
        Ok(())
    }

    /// The archives of this machine, with what is in them.
    async fn archives(
        &self,
        keys: BTreeSet<PackageKey>,
        fetch: bool,
    ) -> Result<BTreeMap<PackageKey, Archive>, Failure> {
        let mut archives = BTreeMap::new();
        for (key, found) in self.offers(keys, fetch).await? {
            let Found::File(artifact) = found else {
                continue;
            };
            let read = tokio::task::spawn_blocking(move || Archive::read(&artifact)).await;
            let archive = read.map_err(|e| Failure::of(Kind::Failed, e.to_string()))?;
            archives.insert(key, archive?);
        }
        Ok(archives)
    }
}

/// Why a look was not finished, where it was not.
fn cut_off(ran: Result<Option<i32>, RemoteError>) -> Option<String> {
    match ran {
        Ok(Some(0)) => None,
        Ok(Some(code)) => Some(format!("it ended with {code}")),
        Ok(None) => Some("it was ended".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// An archive of this machine.
struct Archive {
    sha256: String,
    /// What `sha256sum -c` reads.
    sums: Arc<str>,
}

impl Archive {
    fn read(artifact: &Artifact) -> Result<Self, Failure> {
        let content = artifact::content(artifact);
        let content = content.map_err(|e| Failure::of(Kind::Failed, e.to_string()))?;
        let sums = content.iter().fold(String::new(), |mut sums, (path, sum)| {
            let _ = writeln!(sums, "{sum}  {path}");
            sums
        });
        Ok(Self {
            sha256: artifact.sha256.clone(),
            sums: sums.into(),
        })
    }

    /// Whether a tree was unpacked from it.
    fn is_of(&self, home: &str) -> bool {
        self.sha256
            .get(..12)
            .is_some_and(|hash| home.contains(hash))
    }
}

/// Names each file of a tree that is not as it should be.
fn script(home: &str, sums: &str) -> String {
    format!(
        "cd {} || exit 0\nexport LC_ALL=C\nsha256sum -c --quiet 2>/dev/null <<'SUMS' | sed 's/: FAILED.*$//'\n{sums}SUMS\n",
        quote(home)
    )
}
