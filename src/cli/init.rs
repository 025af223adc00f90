//! `sdtd init`: a first inventory, by a few questions on a terminal or by flags.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use indexmap::IndexMap;

use super::{Global, setup};
use crate::catalogue::descriptor::Count;
use crate::catalogue::{Catalogue, Folder};
use crate::error::{Failure, Kind};
use crate::event::{Problem, SCHEMA};
use crate::id::{ClusterName, ServiceName};
use crate::inventory::nearest::listed;
use crate::inventory::{
    Amount, Context, Draft, DraftHosts, Findings, LoadError, Style, check, count_problem,
    host_list, is_login, suggested_count,
};
use crate::report::{self, Mark, Out, Secrets};

/// So many hosts of this machine are offered: the fewest that survive the loss of one.
const LOCALS: &str = "3";

/// The words of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The file to write.
    #[arg(default_value = "inventory.yaml")]
    file: PathBuf,
    /// The cluster's name.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The hosts' addresses, with commas between; `pi[1-5].local` are five, `name=address` has a name of its own.
    #[arg(long, value_name = "LIST", conflicts_with = "local")]
    hosts: Option<String>,
    /// So many hosts of this machine, instead of hosts over SSH.
    #[arg(long, value_name = "N", conflicts_with = "user")]
    local: Option<String>,
    /// The name to log in with; else what ~/.ssh/config says.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A service (may be repeated); those that it needs are added.
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<String>,
    /// How many of a role, by the service's own word, such as `--count servers=3` (may be repeated).
    #[arg(long = "count", value_name = "WORD=N")]
    counts: Vec<String>,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

/// Runs `sdtd init`.
///
/// # Errors
/// When an answer is missing or wrong, or there is such a file already.
pub fn run(global: &Global, args: &InitArgs) -> Result<(), Failure> {
    let catalogue = setup::catalogue(global)?;
    let asking = Asking(!global.yes && report::can_ask());
    is_free(asking, args)?;
    let draft = draft(asking, args, &catalogue)?;
    let text = draft.text(&catalogue);
    let warnings = checked(&args.file, &text, &catalogue)?;
    write(&args.file, &text).map_err(|error| {
        let cause = format!("{}: {error}", args.file.display());
        Failure::of(Kind::Failed, cause)
    })?;
    tell(global, args, (&draft, &warnings)).map_err(|e| Failure::of(Kind::Failed, e.to_string()))
}

/// Whether questions are asked; elsewhere flags and defaults answer them.
#[derive(Clone, Copy)]
struct Asking(bool);

/// A question: what is shown before it, how it is asked, the flag that answers it, and the answer of those who
/// press Enter.
struct Question<'a> {
    list: String,
    text: String,
    flag: &'a str,
    default: Option<String>,
}

impl Asking {
    /// The answer of a flag, else of a person, else the default.
    fn get<T>(
        self,
        given: Option<&str>,
        question: &Question<'_>,
        read: impl Fn(&str) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let default = question.default.as_deref();
        match (given, default) {
            (Some(given), _) => read(given),
            (None, _) if self.0 => {
                let text = format!("{}{}", question.list, question.text);
                report::ask_until(&text, default, read)
                    .map_err(|e| usage(format!("{e}: nothing was written"), ""))
            }
            (None, Some(default)) => read(default),
            (None, None) => {
                let (list, flag) = (&question.list, question.flag);
                let help = format!("add {flag}, or run it on a terminal\n{list}");
                let cause = format!("no answer to: {}", question.text);
                Err(usage(cause, help.trim_end()))
            }
        }
    }
}

fn usage(cause: impl Into<String>, help: &str) -> Failure {
    let problem = Problem::new(cause);
    let problem = if help.is_empty() {
        problem
    } else {
        problem.help(help)
    };
    Failure::new(Kind::Usage, problem)
}

/// A file that is there is written over only where that is asked for.
fn is_free(asking: Asking, args: &InitArgs) -> Result<(), Failure> {
    let shown = args.file.display();
    if args.file.is_dir() {
        return Err(usage(format!("{shown} is a folder"), "name a file in it"));
    }
    if args.force || std::fs::symlink_metadata(&args.file).is_err() {
        return Ok(());
    }
    let question = format!("{shown} is there already. Write over it?");
    if asking.0 && report::ask_yes(&question).unwrap_or(false) {
        return Ok(());
    }
    let problem = Problem::new(format!("{shown} is there already; it was left as it is"));
    let help = "name another file, or add `--force` to write over it";
    Err(Failure::new(Kind::Refused, problem.help(help)))
}

fn draft(asking: Asking, args: &InitArgs, catalogue: &Catalogue) -> Result<Draft, Failure> {
    let cluster = asking.get(args.cluster.as_deref(), &cluster_question(), cluster)?;
    let hosts = hosts(asking, args)?;
    let chosen = services(asking, args, catalogue)?;
    let services = counts(asking, args, (catalogue, &chosen, hosts.len()))?;
    Ok(Draft {
        cluster,
        hosts,
        services,
    })
}

/// The cluster is offered the name of the folder that its inventory lies in.
fn cluster_question() -> Question<'static> {
    let here = std::env::current_dir().unwrap_or_default();
    let here = here
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let here = here.filter(|name| name.parse::<ClusterName>().is_ok());
    Question {
        list: String::new(),
        text: "The cluster's name".to_owned(),
        flag: "`--cluster NAME`",
        default: Some(here.unwrap_or_else(|| "my-cluster".to_owned())),
    }
}

fn cluster(text: &str) -> Result<ClusterName, Failure> {
    text.parse().map_err(|_| {
        let help =
            "use 1 to 63 lower-case letters, digits and inner dashes, beginning with a letter";
        usage(format!("`{text}` is not a name for a cluster"), help)
    })
}

/// The hosts, and how they are logged in to.
fn hosts(asking: Asking, args: &InitArgs) -> Result<DraftHosts, Failure> {
    if let Some(n) = &args.local {
        return locals(n);
    }
    let question = Question {
        list: String::new(),
        text: "The hosts, such as `pi1.local pi2.local` or `pi[1-5].local`; \
               or a number: so many on this machine"
            .to_owned(),
        flag: "`--hosts LIST`, or `--local N` for hosts on this machine",
        default: asking.0.then(|| LOCALS.to_owned()),
    };
    let read = |text: &str| match text.parse::<u16>() {
        Ok(_) => locals(text),
        Err(_) => ssh(text),
    };
    let hosts = match asking.get(args.hosts.as_deref(), &question, read)? {
        DraftHosts::Ssh { hosts, .. } => hosts,
        local @ DraftHosts::Local(_) => return Ok(local),
    };
    let question = Question {
        list: String::new(),
        text: "The name to log in with (Enter: what ~/.ssh/config says)".to_owned(),
        flag: "`--user NAME`",
        default: Some(String::new()),
    };
    let user = asking.get(args.user.as_deref(), &question, login)?;
    Ok(DraftHosts::Ssh { user, hosts })
}

fn locals(text: &str) -> Result<DraftHosts, Failure> {
    let n = text.parse().ok().filter(|n| (1..=200).contains(n));
    n.map(DraftHosts::Local)
        .ok_or_else(|| usage(format!("`{text}` hosts of this machine"), "write 1 to 200"))
}

fn ssh(text: &str) -> Result<DraftHosts, Failure> {
    match host_list(text) {
        Ok(hosts) => Ok(DraftHosts::Ssh { user: None, hosts }),
        Err(problems) => Err(Failure {
            kind: Kind::Usage,
            problems,
        }),
    }
}

fn login(text: &str) -> Result<Option<String>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    if is_login(text) {
        return Ok(Some(text.to_owned()));
    }
    let help = "write the name you log in with, such as `pi`";
    Err(usage(format!("`{text}` is not a login name"), help))
}

/// What is to run: by itself, and with all that it needs.
fn services(
    asking: Asking,
    args: &InitArgs,
    catalogue: &Catalogue,
) -> Result<Vec<ServiceName>, Failure> {
    let runs = |(_, folder): &(&ServiceName, &Folder)| !folder.descriptor.roles.is_empty();
    let known: Vec<_> = catalogue.iter().filter(runs).collect();
    let line = |(name, folder): &(&ServiceName, &Folder)| {
        format!("  {name}: {}\n", folder.descriptor.title)
    };
    let list: String = known.iter().map(line).collect();
    let usual: Vec<&str> = catalogue.usual().map(ServiceName::as_str).collect();
    let default = (!usual.is_empty()).then(|| usual.join(" "));
    let question = Question {
        list,
        text: "What shall run (what it needs comes along)".to_owned(),
        flag: "`--service NAME`",
        default,
    };
    let read = |text: &str| {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let names: Vec<ServiceName> = words
            .map(|word| service(word, &known))
            .collect::<Result<_, _>>()?;
        match catalogue.with_needs(&names) {
            all if all.is_empty() => Err(usage("nothing would run", "name a service")),
            all => Ok(all),
        }
    };
    let given = (!args.services.is_empty()).then(|| args.services.join(" "));
    asking.get(given.as_deref(), &question, read)
}

fn service(word: &str, known: &[(&ServiceName, &Folder)]) -> Result<ServiceName, Failure> {
    let found = known.iter().find(|(name, _)| name.as_str() == word);
    found.map(|(name, _)| (*name).clone()).ok_or_else(|| {
        let names = known.iter().map(|(name, _)| name.as_str());
        let help = format!("known: {}", listed(names));
        usage(format!("there is no service `{word}`"), &help)
    })
}

/// How many of each role, service by service.
fn counts(
    asking: Asking,
    args: &InitArgs,
    (catalogue, chosen, hosts): (&Catalogue, &[ServiceName], usize),
) -> Result<IndexMap<ServiceName, IndexMap<String, u16>>, Failure> {
    let given = given_counts(&args.counts)?;
    let (mut all, mut known) = (IndexMap::new(), Vec::new());
    for name in chosen {
        let Some(folder) = catalogue.get(name) else {
            continue;
        };
        let settings = folder.descriptor.default_settings();
        let roles = folder.descriptor.roles_with(&settings);
        let mut own = IndexMap::new();
        for (word, count) in counted(roles.map(|(_, role)| role)) {
            let question = Question {
                list: String::new(),
                text: format!("{name}: how many {word}"),
                flag: "`--count WORD=N`",
                default: suggested_count(count, hosts).map(|n| n.to_string()),
            };
            // Two services may have the same word.
            let whole = format!("{name}.{word}");
            let answer = given.get(&whole).or_else(|| given.get(word));
            let read = |text: &str| number(text, (word, count, hosts));
            let n = asking.get(answer.map(String::as_str), &question, read)?;
            own.insert(word.to_owned(), n);
            known.extend([word.to_owned(), whole]);
        }
        all.insert(name.clone(), own);
    }
    match given.keys().find(|word| !known.contains(word)) {
        Some(word) => {
            let help = format!("known: {}", listed(known.iter().map(String::as_str)));
            Err(usage(format!("there are no `{word}` to count"), &help))
        }
        None => Ok(all),
    }
}

fn counted<'a>(
    roles: impl Iterator<Item = &'a crate::catalogue::Role>,
) -> impl Iterator<Item = (&'a str, &'a Count)> {
    roles.filter_map(|role| role.count.key().map(|word| (word, &role.count)))
}

fn given_counts(words: &[String]) -> Result<IndexMap<String, String>, Failure> {
    let pair = |text: &String| {
        let pair = text.split_once('=');
        let pair = pair.map(|(word, n)| (word.to_owned(), n.to_owned()));
        pair.ok_or_else(|| usage(format!("`{text}` counts nothing"), "write `--count WORD=N`"))
    };
    words.iter().map(pair).collect()
}

fn number(text: &str, (word, count, hosts): (&str, &Count, usize)) -> Result<u16, Failure> {
    let Ok(n) = text.parse() else {
        return Err(usage(
            format!("`{text}` is not a number of {word}"),
            "write a number",
        ));
    };
    match count_problem(word, &Amount::Count(n), count, (hosts, 1)) {
        Some((cause, help)) => Err(usage(cause, &help)),
        None => Ok(n),
    }
}

/// Checks the text as every other command will; the answer is what it warns of.
fn checked(path: &Path, text: &str, catalogue: &Catalogue) -> Result<Findings, Failure> {
    let env = std::env::vars().collect();
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let context = Context {
        catalogue,
        env: &env,
        folder: whole.parent().unwrap_or(&whole),
    };
    match check(text, &context) {
        Ok((_, warnings)) => Ok(Findings::new(path, text, warnings)),
        Err(found) => {
            let error = LoadError::Findings(Findings::new(path, text, found));
            Err(setup::findings(&error))
        }
    }
}

/// Writes the file whole or not at all; a link stays one.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    // A file that was there keeps its permissions.
    let kept = std::fs::metadata(&path).map(|old| old.permissions());
    let mut file = tempfile::Builder::new()
        .permissions(kept.unwrap_or_else(|_| Permissions::from_mode(0o666)))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn tell(
    global: &Global,
    args: &InitArgs,
    (draft, warnings): (&Draft, &Findings),
) -> std::io::Result<()> {
    let mut out = Out::stdout(Secrets::default());
    if global.json {
        return out.json(&serde_json::json!({
            "v": SCHEMA, "inventory": args.file, "cluster": draft.cluster, "hosts": draft.hosts.len(),
            "services": draft.services,
        }));
    }
    if !warnings.is_empty() {
        out.line(&warnings.render(Style::Plain))?;
    }
    let mut parts = vec![report::count(draft.hosts.len(), "host")];
    for (name, counts) in &draft.services {
        let counts: Vec<String> = counts
            .iter()
            .map(|(word, n)| format!("{n} {word}"))
            .collect();
        parts.push(
            format!("{name} {}", counts.join(", "))
                .trim_end()
                .to_owned(),
        );
    }
    let found = format!("cluster {}: {}", draft.cluster, parts.join("; "));
    out.marked(
        Mark::Done,
        &format!("wrote {}", args.file.display()),
        0,
        &found,
    )?;
    out.line(&format!("next: {}", next(global, args)))
}

/// The command that goes on from here, as it must be typed.
fn next(global: &Global, args: &InitArgs) -> String {
    let mut words = vec!["sdtd check".to_owned()];
    for folder in &global.templates {
        words.push(format!("--templates {}", folder.display()));
    }
    // Without its name the file is found only where it is looked for first.
    let is_found = args.file == Path::new("inventory.yaml");
    if !is_found || std::env::var_os("SDTD_INVENTORY").is_some() {
        words.push(args.file.display().to_string());
    }
    words.join(" ")
}
