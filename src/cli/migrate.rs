//! `sdtd migrate`: a setting that is fixed gets another value while the cluster runs, in steps that can be undone up to
//! the last.

use clap::Args;

use super::destroy::by_name;
use super::edit::{self, Edit};
use super::history::TimingsArg;
use super::roll::RollArgs;
use super::setup::{self, Missing, Opened};
use super::{Global, InventoryArg};
use crate::catalogue::Catalogue;
use crate::catalogue::descriptor::Way;
use crate::error::{Failure, Kind};
use crate::event::Problem;
use crate::id::ServiceName;
use crate::inventory::edit::set_scalar;

/// The words of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Where to: a way that the catalogue knows, such as `kraft`.
    way: String,
    #[command(flatten)]
    inventory: InventoryArg,
    /// Go back to where it began, which can be done until it is finalized.
    #[arg(long, conflicts_with = "finalize")]
    undo: bool,
    /// Do the last step. There is no way back from it.
    #[arg(long)]
    finalize: bool,
    #[command(flatten)]
    roll: RollArgs,
    #[command(flatten)]
    timings: TimingsArg,
}

/// A way, and whose setting it is about.
struct Found {
    service: ServiceName,
    word: String,
    way: Way,
}

/// Runs `sdtd migrate`.
///
/// # Errors
/// As the exit codes tell; nothing is written unless it is agreed to.
pub async fn run(global: &Global, args: &MigrateArgs) -> Result<(), Failure> {
    let (opened, edit, found) = open(global, args)?;
    if !opened.loaded.cluster.services.contains_key(&found.service) {
        let cause = format!("the cluster has no service `{}`", found.service);
        return Err(Failure::of(Kind::Usage, cause));
    }
    let mut run = setup::begin(global, opened, "migrate", Missing::Fatal).await?;
    if args.finalize {
        run.flow.ends.insert(found.service.clone());
    }
    args.roll.give(&mut run.flow);
    if args.finalize && !global.yes {
        let Found { way, .. } = &found;
        let what = format!(
            "There is no way back from `{}` to `{}` after this.",
            way.to, way.from
        );
        let asked = (
            "nobody is there to confirm that there is to be no way back",
            what.as_str(),
        );
        if let Err(failure) = by_name(&run, asked) {
            return Err(run.end(Some(failure), "nothing was changed").await);
        }
    }
    let log = run.log();
    let done = edit::bring_about(global, run, edit).await;
    args.timings.after(global, &log, done)
}

/// The inventory as it will be, and the way that is meant.
fn open(global: &Global, args: &MigrateArgs) -> Result<(Opened, Option<Edit>, Found), Failure> {
    let mut way = None;
    let (opened, edit) = edit::open(global, &args.inventory, |catalogue, text| {
        let found = find(catalogue, &args.way)?;
        let value = match args.undo {
            true => &found.way.from,
            false => &found.way.to,
        };
        let text = edited(text, (found.service.as_str(), &found.word), value);
        way = Some(found);
        text
    })?;
    let unknown = || Failure::of(Kind::Usage, format!("there is no way `{}`", args.way));
    Ok((opened, edit, way.ok_or_else(unknown)?))
}

/// The way of this name.
fn find(catalogue: &Catalogue, name: &str) -> Result<Found, Failure> {
    let ways = catalogue.iter().flat_map(|(service, folder)| {
        let settings = folder.descriptor.settings.iter();
        settings.flat_map(move |(word, setting)| {
            setting.ways.iter().map(move |way| Found {
                service: service.clone(),
                word: word.clone(),
                way: way.clone(),
            })
        })
    });
    let ways: Vec<Found> = ways.collect();
    let known: Vec<String> = ways.iter().map(|f| format!("`{}`", f.way.name)).collect();
    let unknown = || {
        let problem = Problem::new(format!("there is no way `{name}`"));
        Failure::new(
            Kind::Usage,
            problem.help(format!("there is {}", known.join(", "))),
        )
    };
    ways.into_iter()
        .find(|found| found.way.name == name)
        .ok_or_else(unknown)
}

/// The inventory's text with a setting's value in it.
fn edited(text: &str, (service, word): (&str, &str), value: &str) -> Result<String, Failure> {
    set_scalar(text, &["services", service, word], value).map_err(|error| {
        let help = format!("write `services: {{ {service}: {{ {word}: {value} }} }}`; then `sdtd deploy` does the same");
        Failure::new(Kind::Usage, Problem::new(error.to_string()).help(help))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_written_where_there_is_none_yet_and_put_back() {
        let text = "services: { db: { nodes: 3 } }\n";
        let there = edited(text, ("db", "kept"), "itself").unwrap();
        assert_eq!(there, "services: { db: { kept: itself, nodes: 3 } }\n");
        let back = edited(&there, ("db", "kept"), "elsewhere").unwrap();
        assert_eq!(back, "services: { db: { kept: elsewhere, nodes: 3 } }\n");
    }

    #[test]
    fn a_way_is_found_by_its_name() {
        let catalogue = Catalogue::load(&[]).unwrap();
        let found = find(&catalogue, "kraft").ok().unwrap();
        assert_eq!(
            (found.word.as_str(), found.way.to.as_str()),
            ("mode", "kraft")
        );
        let failure = find(&catalogue, "elsewhere").err().unwrap();
        assert_eq!(
            failure.problems[0].help.as_deref(),
            Some("there is `kraft`")
        );
    }
}
