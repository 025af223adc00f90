//! What an instance should be: its files, its unit and its fingerprint, rendered from the catalogue.

use std::collections::BTreeSet;

use minijinja::value::{Serde, Value};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::catalogue::descriptor::{FileSpec, OnChange, OnceOn, Role};
use crate::catalogue::{LiveKeys, RenderError, live_keys};
use crate::digest::hex;
use crate::id::InstanceId;
use crate::inventory::Connection;
use crate::plan::context::{Context, Words};
use crate::plan::held::Guard;
use crate::plan::live::{Print, is_live};
use crate::plan::model::Member;
use crate::plan::paths::HostPaths;

/// A file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredFile {
    /// Where.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its permissions, in octal.
    pub mode: String,
    /// What a change of it asks for.
    pub on_change: OnChange,
    /// Whether the service's user owns it (else root does).
    pub owned: bool,
    /// Whether it is sdtd's own book-keeping, of no interest to people.
    pub own: bool,
    /// Whether it is written only as long as no instance of the role is known to hold data.
    pub bootstrap: bool,
    /// The key whose line lists members, of which it is enough to know most.
    pub lists: Option<String>,
    /// The keys in it that an instance takes while it runs.
    pub live: LiveKeys,
}

impl DesiredFile {
    /// The lines that list members.
    fn listing(&self) -> impl Iterator<Item = &str> {
        let of = |key: &String| {
            let begin = format!("{key}=");
            let lines = self.text.lines();
            lines.filter(move |line| line.starts_with(&begin))
        };
        self.lists.iter().flat_map(of)
    }
}

/// A step that an instance does once, as it should be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredOnce {
    /// Its name.
    pub name: String,
    /// The hook's path on the host.
    pub hook: String,
    /// The file that says that it is done.
    pub marker: String,
    /// Seconds it may take.
    pub within: u64,
    /// Whether each data folder needs it.
    pub folders: bool,
    /// Whether it is done once all members are ready.
    pub late: bool,
    /// Whether it is done though it was done before.
    pub again: bool,
}

/// An instance as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// How probes see it.
    pub member: Member,
    /// Folders it needs, with their permissions.
    pub dirs: Vec<(String, String)>,
    /// Folders among them that hold a user's data.
    pub data: Vec<String>,
    /// What guards these against an empty start.
    pub guards: Vec<Guard>,
    /// Its files.
    pub files: Vec<DesiredFile>,
    /// Where other versions of it have files.
    pub others: BTreeSet<String>,
    /// The file by which its supervisor runs it.
    pub unit: DesiredFile,
    /// Steps done once.
    pub once: Vec<DesiredOnce>,
    /// The file that names what it should run with, and its text: two hashes, one of all that asks
    /// for a restart, one of all that asks for a reload.
    pub wanted: (String, String),
    /// Seconds it may take to stop.
    pub stop_within: u64,
}

impl Context<'_> {
    /// An instance as it should be.
    ///
    /// # Errors
    /// When a template can't be rendered.
    pub fn desired(&self, id: &InstanceId) -> Result<Option<Desired>, RenderError> {
        let Some((name, _)) = self.cluster.services.get_key_value(&id.service) else {
            return Ok(None);
        };
        let Some(words) = self.words(name) else {
            return Ok(None);
        };
        let Some(role) = words.folder.descriptor.roles.get(&id.role) else {
            return Ok(None);
        };
        let Some(host) = self.cluster.hosts.get(&id.host) else {
            return Ok(None);
        };
        let member = self.member(id, &words, role, host);
        let values = self.values(id, &words, host, &member);
        let paths = HostPaths::new(&self.cluster.name, host);
        let data = self.data(&words, id, &paths);
        let mut files = Vec::new();
        for spec in &role.files {
            files.extend(self.file(&words, spec, &values)?);
        }
        let guards = self.guards(&words, role, id, (&values, &data))?;
        let unit = self.unit(&words, role, &member, (&values, &data, &guards))?;
        let state = paths.unit(&member.unit);
        let wanted = (format!("{state}/wanted"), fingerprint(&files, &unit));
        Ok(Some(Desired {
            dirs: dirs(&paths, words.folders(), &data),
            once: self.once(role, id, &member, &state),
            guards,
            data,
            others: self.other_paths(id, &values)?,
            files,
            unit,
            wanted,
            stop_within: role.run.stop_within,
            member,
        }))
    }

    /// What guards the folders of an instance against an empty start.
    fn guards(
        &self,
        words: &Words<'_>,
        role: &Role,
        id: &InstanceId,
        (values, data): (&Value, &[String]),
    ) -> Result<Vec<Guard>, RenderError> {
        let Some(holds) = role.data.as_ref().and_then(|data| data.holds.as_ref()) else {
            return Ok(Vec::new());
        };
        let place = format!("{}/service.yaml (holds)", words.folder.origin);
        let holds = self.renderer.render(&place, holds, values)?;
        let guard = |dir: &String| Guard::new(id, dir, &holds);
        Ok(data.iter().map(guard).collect())
    }

    fn file(
        &self,
        words: &Words<'_>,
        spec: &FileSpec,
        values: &Value,
    ) -> Result<Option<DesiredFile>, RenderError> {
        let name = format!("{}/{}", words.folder.origin, spec.template);
        let place = format!("{name} (to)");
        let path = self.renderer.render(&place, &spec.to, values)?;
        if path.is_empty() {
            return Ok(None);
        }
        let Some(text) = words.folder.file(&spec.template) else {
            return Err(RenderError {
                template: format!("{}/service.yaml", words.folder.origin),
                line: 1,
                cause: format!(
                    "it names the template `{}`, and there is no such file",
                    spec.template
                ),
                source_line: None,
            });
        };
        let live = match &spec.live {
            Some(keys) => self.live_keys(words, keys)?,
            None => LiveKeys::default(),
        };
        Ok(Some(DesiredFile {
            path,
            text: self.renderer.render(&name, text, values)?,
            mode: spec.mode.clone(),
            on_change: spec.on_change,
            owned: true,
            own: false,
            bootstrap: spec.bootstrap,
            lists: spec.lists.clone(),
            live,
        }))
    }

    /// The keys that a file of the service's folder names.
    fn live_keys(&self, words: &Words<'_>, file: &str) -> Result<LiveKeys, RenderError> {
        let wrong = |line, cause: &str| RenderError {
            template: format!("{}/{file}", words.folder.origin),
            line,
            cause: cause.to_owned(),
            source_line: None,
        };
        let text = words.folder.file(file);
        let text = text.ok_or_else(|| wrong(1, "there is no such file"))?;
        let neither = |line| wrong(line, "it is neither `key` nor `key other factor`");
        self.shared
            .live_keys
            .get_or_make((words.name.clone(), file.to_owned()), || {
                live_keys(text).map(LiveKeys::from).map_err(neither)
            })
    }

    fn unit(
        &self,
        words: &Words<'_>,
        role: &Role,
        member: &Member,
        (values, data, guards): (&Value, &[String], &[Guard]),
    ) -> Result<DesiredFile, RenderError> {
        let host = &self.cluster.hosts[&member.id.host];
        let paths = HostPaths::new(&self.cluster.name, host);
        let place = format!("{}/service.yaml (run)", words.folder.origin);
        let words_of = |list: &[String]| -> Result<Vec<String>, RenderError> {
            let rendered = list
                .iter()
                .map(|text| self.renderer.render(&place, text, values));
            Ok(rendered
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .filter(|w| !w.is_empty())
                .collect())
        };
        let mut env = indexmap::IndexMap::new();
        for (key, text) in &role.run.env {
            env.insert(key.clone(), self.renderer.render(&place, text, values)?);
        }
        let guards: Vec<String> = guards.iter().map(|g| g.script(&paths.held())).collect();
        let mut writable = data.to_vec();
        writable.push(paths.logs(words.folders()));
        writable.push(paths.data(words.folders()));
        writable.extend(words_of(&role.run.writes)?);
        let unit = json!({ "unit": {
            "title": words.folder.descriptor.title, "member": member.id.to_string(),
            "user": member.user.clone().unwrap_or_default(), "env": env,
            "command": words_of(&role.run.command)?, "reload": words_of(&role.run.reload)?,
            "nofile": role.run.nofile, "stop_within": role.run.stop_within,
            "capabilities": role.run.capabilities, "after": role.run.after, "data": data, "guards": guards, "writable": writable,
            "state": paths.unit(&member.unit),
            "out": format!("{}/{}.out", paths.logs(words.folders()), member.unit),
        }});
        let local = matches!(host.connection, Connection::Local { .. });
        let (template, path, mode) = if local {
            (
                "pidfile.sh.j2",
                format!("{}/ctl", paths.unit(&member.unit)),
                "0755",
            )
        } else {
            (
                "systemd.service.j2",
                paths.systemd_unit(&member.unit),
                "0644",
            )
        };
        let text = self.catalogue.shared(template).unwrap_or_default();
        Ok(DesiredFile {
            path,
            text: self.renderer.render(
                &format!("_lib/{template}"),
                text,
                &Value::from(Serde(unit)),
            )?,
            mode: mode.to_owned(),
            on_change: OnChange::Restart,
            owned: false,
            own: false,
            bootstrap: false,
            lists: None,
            live: LiveKeys::default(),
        })
    }

    fn once(&self, role: &Role, id: &InstanceId, member: &Member, state: &str) -> Vec<DesiredOnce> {
        let settings = &self.cluster.services[&id.service].settings;
        let first = self.placement.instances.iter().map(|(i, _)| i);
        let mut first = first.filter(|i| i.service == id.service && i.role == id.role);
        let is_first = first.next() == Some(id);
        role.once
            .iter()
            .filter(|once| once.on == OnceOn::Each || is_first)
            .filter(|once| once.when.holds(settings))
            .map(|once| DesiredOnce {
                name: once.name.clone(),
                hook: format!("{}/{}", member.hooks, once.hook),
                marker: once_marker(state, &once.name),
                within: once.within,
                folders: once.folders,
                late: once.late,
                again: false,
            })
            .collect()
    }
}

fn dirs(paths: &HostPaths, service: &str, data: &[String]) -> Vec<(String, String)> {
    let mut dirs = vec![
        (paths.config(service), "0755".to_owned()),
        (paths.logs(service), "0755".to_owned()),
        (paths.data(service), "0755".to_owned()),
        (format!("{}/tmp", paths.data(service)), "0750".to_owned()),
    ];
    dirs.extend(data.iter().map(|path| (path.clone(), "0750".to_owned())));
    dirs
}

/// Two hashes in one line: of all that asks for a restart, and of all that asks for a reload; behind them what
/// lists members, of which it is enough to know most, and the hash of what asks for a restart less what is taken
/// while it runs.
pub(super) fn fingerprint(files: &[DesiredFile], unit: &DesiredFile) -> String {
    let all = || files.iter().chain([unit]);
    let lists = files.iter().flat_map(DesiredFile::listing);
    let mut behind: String = lists
        .map(|line| format!(" {}", line.replace(' ', "")))
        .collect();
    if files.iter().any(|file| !file.live.is_empty()) {
        behind += &Print::rest_word(&hash(all(), OnChange::Restart, is_live));
    }
    let none = |_: &LiveKeys, _: &str| false;
    let restart = hash(all(), OnChange::Restart, none);
    let reload = hash(all(), OnChange::Reload, none);
    format!("{restart} {reload}{behind}\n")
}

/// The hash of all files that ask for this, less their lists of members and the lines that are left out.
fn hash<'a>(
    files: impl Iterator<Item = &'a DesiredFile>,
    asks: OnChange,
    left_out: impl Fn(&LiveKeys, &str) -> bool,
) -> String {
    let mut sum = Sha256::new();
    for file in files.filter(|f| f.on_change == asks) {
        let lists: Vec<&str> = file.listing().collect();
        let counts = |line: &&str| !lists.contains(&line.trim_end()) && !left_out(&file.live, line);
        let lines = || file.text.split_inclusive('\n').filter(counts);
        sum.update(file.path.len().to_le_bytes());
        sum.update(&file.path);
        sum.update(lines().map(str::len).sum::<usize>().to_le_bytes());
        lines().for_each(|line| sum.update(line));
    }
    hex(&sum.finalize())[..16].to_owned()
}

/// Whether what an instance was started with names too few of the members that it should know: lines `key=a,b,c`,
/// as [`fingerprint`] has them.
pub(super) fn knows_too_few(wanted: &[&str], running: &[&str]) -> bool {
    let names = |line: &str| -> BTreeSet<String> {
        let (_, list) = line.split_once('=').unwrap_or_default();
        list.split(',').map(str::to_owned).collect()
    };
    let too_few = |line: &&str| {
        let key = line.split('=').next();
        let known = running.iter().find(|other| other.split('=').next() == key);
        let (wanted, known) = (
            names(line),
            known.map(|known| names(known)).unwrap_or_default(),
        );
        wanted.intersection(&known).count() * 2 <= wanted.len()
    };
    wanted.iter().any(too_few)
}

/// The file that says that a step is done that may run only once.
#[must_use]
pub fn once_marker(state: &str, name: &str) -> String {
    format!("{state}/once-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(text: &str) -> String {
        let file = |text: &str, lists: Option<&str>| DesiredFile {
            path: "/f".to_owned(),
            text: text.to_owned(),
            mode: String::new(),
            on_change: OnChange::Restart,
            owned: true,
            own: false,
            bootstrap: false,
            lists: lists.map(str::to_owned),
            live: LiveKeys::default(),
        };
        fingerprint(&[file(text, Some("at"))], &file("", None))
    }

    #[test]
    fn a_list_of_members_stands_beside_the_hashes() {
        let (one, two) = (print("a=1\nat=x:1,y:2\n"), print("a=1\nat=x:1\n"));
        let hashes = |text: &str| text.split(' ').take(2).collect::<Vec<_>>().join(" ");
        assert!(one.ends_with(" at=x:1,y:2\n"), "{one}");
        assert_eq!(hashes(&one), hashes(&two));
        assert_ne!(hashes(&one), hashes(&print("a=2\nat=x:1,y:2\n")));
        assert_eq!(
            print("a=1\n").trim_end(),
            hashes(&print("a=1\n")).trim_end()
        );
    }

    #[test]
    fn it_is_enough_to_know_more_than_half_of_those_that_there_are() {
        let few = |wanted, running| knows_too_few(&[wanted], running);
        assert!(few("at=a,b,c", &["at=a"]));
        assert!(few("at=a,b,c,d", &["at=a,b"]));
        assert!(!few("at=a,b,c,d,e", &["at=a,b,c"]));
        assert!(!few("at=a", &["at=c,b,a"]));
        assert!(few("at=d,e,f", &["at=a,b,c"]));
        assert!(few("at=a", &[]) && few("at=a", &["of=a"]));
        assert!(!knows_too_few(&[], &["at=a"]));
    }
}
