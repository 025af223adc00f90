//! `sdtd topics`: list, describe, create, alter, delete; and `apply`, which brings the inventory's about.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};

use super::elect::ElectArgs;
use super::keeper::Keeper;
use super::setup::{self, Missing, Run};
use super::{Global, InventoryArg};
use crate::driver::TopicInfo;
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::inventory::Topic;
use crate::plan::ResourceChange;
use crate::report::{self, Out, Secrets};

/// The words of `topics`.
#[derive(Debug, Args)]
pub struct TopicsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All topics.
    List {
        #[command(flatten)]
        inventory: InventoryArg,
        /// Those too that the service made for itself.
        #[arg(long)]
        all: bool,
    },
    /// One topic: its partitions, their leaders and replicas, its settings.
    Describe {
        /// The topic.
        name: String,
        #[command(flatten)]
        inventory: InventoryArg,
    },
    /// Make a topic.
    Create {
        /// The topic.
        name: String,
        #[command(flatten)]
        inventory: InventoryArg,
        /// How many partitions.
        #[arg(long, default_value_t = 1)]
        partitions: i32,
        /// How many copies of each; else as many as there are brokers, three at the most.
        #[arg(long)]
        replication: Option<i16>,
        /// A setting (may be repeated).
        #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
        config: Vec<(String, String)>,
    },
    /// Give a topic more partitions, another number of copies, or other settings.
    Alter {
        /// The topic.
        name: String,
        #[command(flatten)]
        inventory: InventoryArg,
        /// How many partitions; they only grow.
        #[arg(long)]
        partitions: Option<i32>,
        /// How many copies of each: they are made or taken away while the topic is used.
        #[arg(long, value_parser = clap::value_parser!(i16).range(1..))]
        replication: Option<i16>,
        /// A setting (may be repeated).
        #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
        config: Vec<(String, String)>,
    },
    /// Delete topics with all that is in them.
    Delete {
        /// The topics.
        #[arg(required = true)]
        names: Vec<String>,
        /// The inventory, as for other commands.
        #[arg(long, short)]
        inventory: Option<std::path::PathBuf>,
    },
    /// Have partitions that nobody leads go on from a copy that lives. What only the dead ones had is lost.
    Elect(ElectArgs),
    /// Bring the inventory's topics about.
    Apply {
        #[command(flatten)]
        inventory: InventoryArg,
    },
}

fn setting(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(key, _)| !key.is_empty());
    parts
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .ok_or_else(|| "write KEY=VALUE".to_owned())
}

impl What {
    fn inventory(&self) -> InventoryArg {
        match self {
            Self::List { inventory, .. }
            | Self::Describe { inventory, .. }
            | Self::Create { inventory, .. }
            | Self::Alter { inventory, .. }
            | Self::Apply { inventory } => inventory.clone(),
            Self::Elect(args) => args.inventory.clone(),
            Self::Delete { inventory, .. } => InventoryArg {
                inventory: inventory.clone(),
            },
        }
    }
}

/// Runs `sdtd topics …`.
///
/// # Errors
/// As the exit codes tell.
pub async fn run(global: &Global, args: &TopicsArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.what.inventory())?;
    if let What::Elect(args) = &args.what {
        return super::elect::run(global, opened, args).await;
    }
    let mut run = setup::begin(&global.quietly(), opened, "topics", Missing::Fatal).await?;
    let result = work(global, &args.what, &mut run).await;
    run.close().await;
    result
}

impl Keeper {
    async fn topics(&self) -> Result<Vec<TopicInfo>, Failure> {
        self.driver.topics(self.call()).await.map_err(failed)
    }

    pub(super) async fn topic(&self, name: &str) -> Result<TopicInfo, Failure> {
        let mut all = self.topics().await?;
        let near =
            crate::inventory::nearest::did_you_mean(name, all.iter().map(|t| t.name.as_str()));
        let at = all.iter().position(|topic| topic.name == name);
        at.map(|at| all.swap_remove(at)).ok_or_else(|| {
            Failure::new(
                Kind::Failed,
                Problem {
                    cause: format!("there is no topic `{name}`"),
                    log: Vec::new(),
                    help: near,
                },
            )
        })
    }
}

fn failed(problem: Problem) -> Failure {
    Failure::new(Kind::Failed, problem)
}

async fn work(global: &Global, what: &What, run: &mut Run) -> Result<(), Failure> {
    let keeper = Keeper::find(run, |d| d.topics.as_ref(), "keeps topics").await?;
    match what {
        What::List { all, .. } => list(global, &keeper, *all).await,
        What::Describe { name, .. } => describe(global, &keeper.topic(name).await?),
        What::Create {
            name,
            partitions,
            replication,
            config,
            ..
        } => {
            if keeper
                .topics()
                .await?
                .iter()
                .any(|topic| &topic.name == name)
            {
                return Err(Failure::of(
                    Kind::Failed,
                    format!("there is a topic `{name}` already"),
                ));
            }
            let brokers = keeper.prober.view.of_service(&keeper.service).count();
            let copies = i16::try_from(brokers.min(3)).unwrap_or(3);
            let topic = Topic {
                partitions: *partitions,
                replication: replication.unwrap_or(copies),
                config: config.iter().cloned().collect(),
            };
            bring_about(global, run, &keeper, [(name.clone(), topic)].into()).await
        }
        What::Alter {
            name,
            partitions,
            replication,
            config,
            ..
        } => {
            let now = keeper.topic(name).await?;
            let topic = Topic {
                partitions: partitions.unwrap_or(i32::try_from(now.partitions.len()).unwrap_or(1)),
                replication: replication
                    .unwrap_or_else(|| i16::try_from(now.replication).unwrap_or(1)),
                config: config.iter().cloned().collect(),
            };
            bring_about(global, run, &keeper, [(name.clone(), topic)].into()).await
        }
        What::Delete { names, .. } => delete(global, run, &keeper, names).await,
        What::Elect(_) | What::Apply { .. } => {
            bring_about(global, run, &keeper, run.flow.cluster.topics.clone()).await
        }
    }
}

pub(super) fn out() -> Out {
    Out::stdout(Secrets::default())
}

pub(super) fn unwritten(error: std::io::Error) -> Failure {
    Failure::of(Kind::Failed, error.to_string())
}

async fn list(global: &Global, keeper: &Keeper, all: bool) -> Result<(), Failure> {
    let mut topics = keeper.topics().await?;
    topics.retain(|topic| all || !topic.internal);
    if global.json {
        return out().json(&topics).map_err(unwritten);
    }
    let in_sync = |t: &TopicInfo| {
        t.partitions
            .iter()
            .all(|p| p.in_sync.len() == p.replicas.len())
    };
    let row = |t: &TopicInfo| {
        let settings: Vec<String> = t.config.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let state = if in_sync(t) { "in sync" } else { "NOT in sync" };
        vec![
            t.name.clone(),
            t.partitions.len().to_string(),
            t.replication.to_string(),
            state.to_owned(),
            settings.join(" "),
        ]
    };
    let rows: Vec<Vec<String>> = topics.iter().map(row).collect();
    out()
        .table(
            &["Topic", "Partitions", "Replication", "State", "Settings"],
            &rows,
        )
        .map_err(unwritten)
}

fn describe(global: &Global, topic: &TopicInfo) -> Result<(), Failure> {
    if global.json {
        return out().json(topic).map_err(unwritten);
    }
    let mut lines = vec![format!(
        "{}: {} partitions, {} copies",
        topic.name,
        topic.partitions.len(),
        topic.replication
    )];
    lines.extend(
        topic
            .config
            .iter()
            .map(|(key, value)| format!("  {key} = {value}")),
    );
    out().lines(&lines).map_err(unwritten)?;
    let ids = |ids: &[i32]| {
        ids.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let row = |p: &crate::driver::PartitionInfo| {
        let leader = p
            .leader
            .map_or_else(|| "none".to_owned(), |id| id.to_string());
        vec![
            p.index.to_string(),
            leader,
            ids(&p.replicas),
            ids(&p.in_sync),
        ]
    };
    let rows: Vec<Vec<String>> = topic.partitions.iter().map(row).collect();
    out()
        .table(&["Partition", "Leader", "Replicas", "In sync"], &rows)
        .map_err(unwritten)
}

/// Compares, says what will change, asks, and does it.
async fn bring_about(
    global: &Global,
    run: &Run,
    keeper: &Keeper,
    wanted: BTreeMap<String, Topic>,
) -> Result<(), Failure> {
    let changes = keeper.driver.compare(keeper.call(), &wanted, true).await;
    let changes: Vec<ResourceChange> = changes.map_err(|p| Failure::new(Kind::Refused, p))?;
    if changes.is_empty() {
        return out()
            .line("No change: the topics are as they should be.")
            .map_err(unwritten);
    }
    let lines: Vec<String> = changes.iter().map(|change| change.text.clone()).collect();
    out().lines(&lines).map_err(unwritten)?;
    if !super::deploy::confirmed(global, run).await? {
        return Err(Failure {
            kind: Kind::Usage,
            problems: Vec::new(),
        });
    }
    let lock = run.lock(global).await?;
    let mut done = Ok(());
    for change in &changes {
        done = done.and(keeper.driver.change(keeper.call(), change).await);
        if done.is_err() {
            break;
        }
    }
    lock.release().await;
    done.map_err(failed)?;
    out()
        .line(&format!("{} done.", report::count(changes.len(), "change")))
        .map_err(unwritten)
}

async fn delete(
    global: &Global,
    run: &Run,
    keeper: &Keeper,
    names: &[String],
) -> Result<(), Failure> {
    for name in names {
        let topic = keeper.topic(name).await?;
        let line = format!(
            "delete {name}: {} partitions and all messages in them",
            topic.partitions.len()
        );
        out().line(&line).map_err(unwritten)?;
    }
    if !super::deploy::confirmed(global, run).await? {
        return Err(Failure {
            kind: Kind::Usage,
            problems: Vec::new(),
        });
    }
    let lock = run.lock(global).await?;
    let done = keeper.driver.delete_topics(keeper.call(), names).await;
    lock.release().await;
    done.map_err(failed)?;
    out()
        .line(&format!("{} deleted.", report::count(names.len(), "topic")))
        .map_err(unwritten)
}
