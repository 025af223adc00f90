//! The command line: words in, exit code out. Every command goes the one flow.

mod bundle;
mod check;
mod deploy;
mod destroy;
mod diagram;
mod dirs;
mod disconnect;
mod drill;
mod drills;
mod edit;
mod elect;
mod exec;
mod found;
mod history;
mod init;
mod keeper;
mod maintain;
mod migrate;
mod on;
mod plan;
mod power;
mod proof;
mod replace;
mod roll;
mod rollback;
mod scale;
mod setup;
mod sockets;
mod status;
mod support;
mod topics;
mod unlock;
mod upgrade;
pub mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::error::{EXIT_CODES, Failure, Kind};
use crate::exec::When;
use crate::report::{Level, Out, Secrets};

/// Turns a handful of Linux hosts into a correct, highly available data cluster, over SSH.
#[derive(Debug, Parser)]
#[command(name = "sdtd", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Words that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// One event or document a line, as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Only failures and the summary.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Every step.
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Ask nothing: yes to everything.
    #[arg(short, long, global = true)]
    yes: bool,
    /// How many hosts are worked on at once.
    #[arg(long, global = true, default_value_t = 32, value_name = "N")]
    forks: usize,
    /// Have hosts pass packages on to each other even where this machine alone would be done soon.
    #[arg(long, global = true, conflicts_with = "no_fan_out")]
    fan_out: bool,
    /// Send every package from here to each host; hosts do not pass packages on to each other.
    #[arg(long, global = true)]
    no_fan_out: bool,
    /// A folder of services that overrides and extends the built-in ones (may be repeated).
    #[arg(long, global = true, value_name = "DIR")]
    templates: Vec<PathBuf>,
    /// A folder of package files of your own, or a bundle: then nothing is fetched.
    #[arg(long, global = true, value_name = "DIR|FILE")]
    packages: Option<PathBuf>,
    /// Take and keep the SSH keys of hosts that are not known yet.
    #[arg(long, global = true)]
    accept_new: bool,
    /// Wait so many seconds for the cluster's lock, if another run holds it.
    #[arg(long, global = true, default_value_t = 0, value_name = "SECONDS")]
    lock_wait: u64,
    /// Ask for the password that sudo wants on the hosts.
    #[arg(long, global = true)]
    ask_become_pass: bool,
}

impl Global {
    /// The same words for a run whose own screen is of no interest: the command prints a document.
    fn quietly(&self) -> Self {
        Self {
            quiet: true,
            json: false,
            ..self.clone()
        }
    }

    /// When hosts pass packages on to each other.
    fn fan_out(&self) -> When {
        match (self.fan_out, self.no_fan_out) {
            (_, true) => When::Never,
            (true, _) => When::Always,
            _ => When::Pays,
        }
    }

    fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::default(),
        }
    }
}

/// The inventory a command works on.
#[derive(Debug, Clone, Args)]
pub struct InventoryArg {
    /// The inventory; else $SDTD_INVENTORY, ./inventory.yaml, or the one last deployed.
    inventory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a first inventory: by a few questions on a terminal, or by flags.
    Init(init::InitArgs),
    /// Look at all hosts before anything changes: memory, disks, ports, clocks, names.
    Check(check::CheckArgs),
    /// Show what deploy would do, and why; changes nothing.
    Plan(plan::PlanArgs),
    /// Make the cluster what the inventory says, and prove that it works.
    Deploy(deploy::DeployArgs),
    /// Draw the hosts, what is on each, ports, and who talks to whom; contacts no host.
    Diagram(diagram::DiagramArgs),
    /// Show every instance: state, role, version, memory, and health as its protocol tells it.
    Status(status::StatusArgs),
    /// Prove that the cluster works: ports, quorum, registrations, a message written and read.
    Verify(verify::VerifyArgs),
    /// List, describe, create, alter and delete topics, or bring the inventory's about.
    Topics(topics::TopicsArgs),
    /// Start what does not run, in order.
    Start(power::PowerArgs),
    /// Stop what runs, in reverse order.
    Stop(power::PowerArgs),
    /// Restart one after another, behind the gates.
    Restart(power::RestartArgs),
    /// Give a role more or fewer members: the inventory's number is changed, and what follows is done.
    Scale(scale::ScaleArgs),
    /// Even out what members hold.
    Rebalance(scale::RebalanceArgs),
    /// Take hosts out one after another, run a command such as `reboot`, and wait until all is whole again.
    Maintain(maintain::MaintainArgs),
    /// Bring back what a dead board, card or disk had: same numbers, nothing lost, at a limited speed.
    Replace(replace::ReplaceArgs),
    /// Change a service's version while the cluster runs; `--finalize` ends it, with no way back.
    Upgrade(upgrade::UpgradeArgs),
    /// Change what can't be changed at once, such as who keeps the metadata, in steps that can be undone up to the last.
    Migrate(migrate::MigrateArgs),
    /// Bring back what each host had before its last change, behind the same gates.
    Rollback(rollback::RollbackArgs),
    /// Take the cluster off the hosts; what will be deleted is listed first.
    Destroy(destroy::DestroyArgs),
    /// Show the last lines of every instance's log, or follow them.
    Logs(exec::LogsArgs),
    /// Run a command on the hosts, as root, all at once.
    Exec(exec::ExecArgs),
    /// List earlier runs of this machine, or show one's screen again.
    History(history::HistoryArgs),
    /// Gather what somebody else must see to help, in one file, secrets masked.
    Support(support::SupportArgs),
    /// Gather all packages that an inventory needs in one file, for a site without a network.
    Bundle(bundle::BundleArgs),
    /// Break a cluster on purpose under a steady load, where that is allowed, and judge what became of it.
    Drill(drill::DrillArgs),
    /// Take the cluster's lock away from a run that is dead.
    Unlock(unlock::UnlockArgs),
    /// End the SSH connections that runs have kept (`ssh: { persist: … }`).
    Disconnect(disconnect::DisconnectArgs),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the JSON Schema of the inventory.
    Schema,
    /// Print a reference as Markdown.
    #[command(hide = true)]
    Reference {
        /// Which one.
        #[arg(value_parser = ["inventory", "catalogue", "drills"])]
        which: String,
    },
}

/// Runs the program on the arguments it was given.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                Kind::Usage.code()
            } else {
                0
            };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&cli.global, &Failure::of(Kind::Failed, error.to_string())),
    };
    let code = match runtime.block_on(run(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&cli.global, &failure),
    };
    runtime.shutdown_background();
    code
}

async fn run(cli: &Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(global, args),
        Command::Check(args) => check::run(global, args).await,
        Command::Plan(args) => plan::run(global, args).await,
        Command::Diagram(args) => diagram::run(global, args),
        Command::Deploy(args) => deploy::run(global, args).await,
        Command::Status(args) => status::run(global, args).await,
        Command::Verify(args) => verify::run(global, args).await,
        Command::Topics(args) => topics::run(global, args).await,
        Command::Start(args) => power::run(global, args, power::Power::Start).await,
        Command::Stop(args) => power::run(global, args, power::Power::Stop).await,
        Command::Restart(args) => power::restart(global, args).await,
        Command::Scale(args) => scale::run(global, args).await,
        Command::Rebalance(args) => scale::rebalance(global, args).await,
        Command::Maintain(args) => maintain::run(global, args).await,
        Command::Replace(args) => replace::run(global, args).await,
        Command::Upgrade(args) => upgrade::run(global, args).await,
        Command::Migrate(args) => migrate::run(global, args).await,
        Command::Rollback(args) => rollback::run(global, args).await,
        Command::Destroy(args) => destroy::run(global, args).await,
        Command::Logs(args) => exec::logs(global, args).await,
        Command::Exec(args) => exec::run(global, args).await,
        Command::History(args) => history::run(global, args),
        Command::Support(args) => support::run(global, args).await,
        Command::Bundle(args) => bundle::run(global, args).await,
        Command::Drill(args) => drill::run(global, args).await,
        Command::Unlock(args) => unlock::run(global, args).await,
        Command::Disconnect(args) => disconnect::run(global, args).await,
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "sdtd", &mut text);
            print(&String::from_utf8_lossy(&text))
        }
        Command::Schema => {
            let catalogue = setup::catalogue(global)?;
            let schema = crate::inventory::schema(&catalogue);
            print(&serde_json::to_string_pretty(&schema).unwrap_or_default())
        }
        Command::Reference { which } => {
            let catalogue = setup::catalogue(global)?;
            print(&match which.as_str() {
                "catalogue" => crate::catalogue::catalogue_reference(),
                "drills" => crate::fault::words::reference(),
                _ => crate::inventory::reference(&catalogue),
            })
        }
    }
}

/// Prints a text as it is.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = Out::stdout(Secrets::default());
    out.line(text.trim_end())
        .map_err(|e| Failure::of(Kind::Failed, e.to_string()))
}

/// Tells a failure, and gives its exit code. A failure without problems was told of already.
fn fail(global: &Global, failure: &Failure) -> ExitCode {
    if !failure.problems.is_empty() {
        crate::report::tell_failure(failure, global.json);
    }
    ExitCode::from(failure.kind.code())
}
