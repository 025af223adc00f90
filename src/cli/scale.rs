//! `sdtd scale`: another number of members, written into the user's inventory and brought about; `sdtd
//! rebalance`: what members hold, evened out.

use clap::{Arg, ArgMatches, Args, FromArgMatches, value_parser};

use super::edit;
use super::history::TimingsArg;
use super::roll::RollArgs;
use super::setup::{self, Missing};
use super::{Global, InventoryArg, on};
use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::Count;
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::id::HostName;
use crate::inventory::edit::{EditError, set_list, set_scalar};

/// What is before the ids of the words that descriptors make.
const WORD: &str = "scale ";
/// How many bytes a second a member sends, and receives, for moves if nothing is said: a board's link still
/// serves its clients beside it.
const THROTTLE: &str = "10M";

/// The words of `scale`.
#[derive(Debug, Args)]
pub struct ScaleArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    #[command(flatten)]
    counts: Counts,
    /// How many members a role shall have (may be repeated).
    #[arg(long, value_name = "SERVICE.ROLE=N")]
    role: Vec<String>,
    /// The hosts that the new members go to, one each; with one number only.
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    on: Vec<String>,
    #[command(flatten)]
    moving: MovingArgs,
    #[command(flatten)]
    copies: CopiesArg,
    #[command(flatten)]
    roll: RollArgs,
    #[command(flatten)]
    timings: TimingsArg,
}

/// The words of `rebalance`.
#[derive(Debug, Args)]
pub struct RebalanceArgs {
    #[command(flatten)]
    inventory: InventoryArg,
    #[command(flatten)]
    moving: MovingArgs,
    #[command(flatten)]
    copies: CopiesArg,
    /// Call off what an earlier run has begun to move and did not finish: partitions go back to where they were, limits
    /// of speed are taken off.
    #[arg(long, conflicts_with_all = ["copies", "throttle"])]
    cancel: bool,
    #[command(flatten)]
    timings: TimingsArg,
}

#[derive(Debug, Args)]
struct CopiesArg {
    /// Give each topic that the inventory does not name at least so many copies; those that it names have what it says.
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..))]
    copies: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct MovingArgs {
    /// Bytes a second that a member may send, and receive, while data move: a number, with K, M or G; `none` for
    /// as fast as it can.
    #[arg(long, value_name = "BYTES", default_value = THROTTLE, value_parser = rate)]
    throttle: Rate,
}

impl MovingArgs {
    /// The limit in bytes a second, if there is to be one.
    pub(super) fn limit(&self) -> Option<u64> {
        self.throttle.0
    }
}

/// A limit of speed in bytes a second.
#[derive(Debug, Clone, Copy)]
struct Rate(Option<u64>);

fn rate(text: &str) -> Result<Rate, String> {
    if text == "none" {
        return Ok(Rate(None));
    }
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let unit = match unit {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        _ => {
            return Err(
                "write a number with K, M or G behind it, such as 20M, or `none`".to_owned(),
            );
        }
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "there is no number".to_owned())?;
    match number.checked_mul(unit) {
        Some(0) | None => Err("it must be more than nothing".to_owned()),
        rate => Ok(Rate(rate)),
    }
}

/// The counts that descriptors have a word for: `--<flag> N`.
#[derive(Debug, Default)]
struct Counts(Vec<(String, u16)>);

impl Args for Counts {
    fn augment_args(cmd: clap::Command) -> clap::Command {
        // Only `scale` itself needs the descriptors read.
        cmd.defer(|cmd| {
            let catalogue = Catalogue::load(&[]);
            let flags = catalogue.iter().flat_map(flags);
            let arg = |(flag, role): (String, String)| {
                Arg::new(format!("{WORD}{flag}"))
                    .long(flag)
                    .value_name("N")
                    .value_parser(value_parser!(u16))
                    .help(format!("How many members {role} shall have"))
            };
            let args: Vec<Arg> = flags.map(arg).collect();
            cmd.args(args)
        })
    }

    fn augment_args_for_update(cmd: clap::Command) -> clap::Command {
        Self::augment_args(cmd)
    }
}

impl FromArgMatches for Counts {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flag = |id: &clap::Id| {
            let flag = id.as_str().strip_prefix(WORD)?;
            Some((flag.to_owned(), *matches.get_one::<u16>(id.as_str())?))
        };
        Ok(Self(matches.ids().filter_map(flag).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The words of a catalogue for numbers of members, each once, with the role that it is about.
fn flags(catalogue: &Catalogue) -> Vec<(String, String)> {
    let mut flags: Vec<(String, String)> = Vec::new();
    for (service, folder) in catalogue.iter() {
        for (role, words) in &folder.descriptor.roles {
            let flag = words.scale.as_ref().map(|scale| scale.flag.clone());
            let new = flag.filter(|flag| !flags.iter().any(|(other, _)| other == flag));
            flags.extend(new.map(|flag| (flag, format!("{service}.{role}"))));
        }
    }
    flags
}

/// Runs `sdtd scale`.
///
/// # Errors
/// As the exit codes tell; nothing is written unless it is agreed to.
pub async fn run(global: &Global, args: &ScaleArgs) -> Result<(), Failure> {
    let counts = counts(args)?;
    if !args.on.is_empty() {
        let [(what, n)] = &counts[..] else {
            return Err(usage(
                "--on says where the members of one role go: give one number".to_owned(),
            ));
        };
        return on_hosts(global, args, (what, *n)).await;
    }
    let change = |catalogue: &Catalogue, text: &str| edited(catalogue, text, &counts);
    let (opened, edit) = edit::open(global, &args.inventory, change)?;
    let mut run = setup::begin(global, opened, "scale", Missing::Fatal).await?;
    run.flow.throttle = args.moving.limit();
    run.flow.copies = args.copies.copies;
    args.roll.give(&mut run.flow);
    let log = run.log();
    let done = edit::bring_about(global, run, edit).await;
    args.timings.after(global, &log, done)
}

/// Runs it with the hosts named: those that there are stay where they are, and all are listed from now on.
async fn on_hosts(
    global: &Global,
    args: &ScaleArgs,
    (what, n): (&str, u16),
) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let Some((service, key)) = place(&opened.catalogue, what) else {
        return Err(no_role(what));
    };
    let named = on::named(&opened.loaded.cluster, &args.on)?;
    let mut run = setup::begin(global, opened, "scale", Missing::Fatal).await?;
    run.flow.throttle = args.moving.limit();
    run.flow.copies = args.copies.copies;
    let found = match on::hosts(&mut run.flow, (&service, &key), n, &named).await {
        Ok(list) => edit::open(global, &args.inventory, |_, text| {
            let list: Vec<&str> = list.iter().map(HostName::as_str).collect();
            set_list(text, &["services", &service, &key], &list).map_err(by_hand)
        }),
        Err(failure) => Err(failure),
    };
    let (opened, edit) = match found {
        Ok(found) => found,
        Err(failure) => return Err(run.end(Some(failure), "nothing was changed").await),
    };
    run.flow.cluster = opened.loaded.cluster;
    let log = run.log();
    let done = edit::bring_about(global, run, edit).await;
    args.timings.after(global, &log, done)
}

/// Runs `sdtd rebalance`.
///
/// # Errors
/// As the exit codes tell.
pub async fn rebalance(global: &Global, args: &RebalanceArgs) -> Result<(), Failure> {
    let opened = setup::open(global, &args.inventory)?;
    let mut run = setup::begin(global, opened, "rebalance", Missing::Fatal).await?;
    (run.flow.rebalance, run.flow.cancel) = (!args.cancel, args.cancel);
    run.flow.throttle = args.moving.limit();
    run.flow.copies = args.copies.copies;
    let log = run.log();
    let done = edit::bring_about(global, run, None).await;
    args.timings.after(global, &log, done)
}

/// What was asked for, by flag or as `service.role`.
fn counts(args: &ScaleArgs) -> Result<Vec<(String, u16)>, Failure> {
    let mut counts = args.counts.0.clone();
    for text in &args.role {
        let parsed = text
            .split_once('=')
            .and_then(|(role, n)| Some((role, n.parse().ok()?)));
        let Some((role, n)) = parsed else {
            return Err(usage(format!("--role {text}: write SERVICE.ROLE=N")));
        };
        counts.push((role.to_owned(), n));
    }
    if counts.is_empty() {
        return Err(usage(
            "what shall be scaled? `sdtd scale --help` lists the words, `--role SERVICE.ROLE=N` takes any role"
                .to_owned(),
        ));
    }
    Ok(counts)
}

fn usage(cause: String) -> Failure {
    Failure::of(Kind::Usage, cause)
}

/// The inventory's text with these counts in it.
fn edited(catalogue: &Catalogue, text: &str, counts: &[(String, u16)]) -> Result<String, Failure> {
    let mut text = text.to_owned();
    for (what, n) in counts {
        let Some((service, key)) = place(catalogue, what) else {
            return Err(no_role(what));
        };
        let changed = set_scalar(&text, &["services", &service, &key], &n.to_string());
        text = changed.map_err(by_hand)?;
    }
    Ok(text)
}

fn no_role(what: &str) -> Failure {
    usage(format!(
        "there is no role `{what}` whose members can be counted"
    ))
}

fn by_hand(error: EditError) -> Failure {
    let problem = Problem::new(error.to_string()).help("then `sdtd deploy` does the same");
    Failure::new(Kind::Usage, problem)
}

/// The service and the inventory's word for a flag or a `service.role`.
fn place(catalogue: &Catalogue, what: &str) -> Option<(String, String)> {
    for (service, folder) in catalogue.iter() {
        for (role, words) in &folder.descriptor.roles {
            let flag = words.scale.as_ref().map(|scale| scale.flag.as_str());
            let named = what == format!("{service}.{role}");
            if let (true, Count::Key { name, .. }) = (named || flag == Some(what), &words.count) {
                return Some((service.to_string(), name.clone()));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_with_a_unit_or_none() {
        let parsed = |text| rate(text).map(|rate| rate.0);
        assert_eq!(parsed("20M"), Ok(Some(20 << 20)));
        assert_eq!(parsed("512"), Ok(Some(512)));
        assert_eq!(parsed("none"), Ok(None));
        for wrong in ["", "M", "0", "5X", "-1", "99999999999G"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_descriptors_name_can_be_scaled_by_flag_and_by_role() {
        let catalogue = Catalogue::load(&[]).unwrap();
        for (flag, role) in flags(&catalogue) {
            assert_eq!(place(&catalogue, &flag), place(&catalogue, &role), "{flag}");
            let (service, key) = place(&catalogue, &flag).unwrap();
            let text = format!("services: {{ {service}: {{ {key}: 1 }} }}\n");
            let edited = edited(&catalogue, &text, &[(flag, 5)]).unwrap();
            assert_eq!(edited, text.replace('1', "5"));
        }
    }
}
