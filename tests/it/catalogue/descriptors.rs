//! Every service: its files are there, are used and render, and its words hold together.

use std::collections::BTreeSet;

use sdtd::catalogue::descriptor::{OnChange, Source, Way};
use sdtd::catalogue::{Catalogue, Descriptor, Folder, Probe, Renderer, Role};
use sdtd::id::RoleName;
use sdtd::inventory::Cluster;
use sdtd::plan::packages;

use super::cases::{read, services};
use super::render::{Rendered, local};
use crate::golden::{files, project};
use crate::setup::{bare_plan, catalogue, cluster};

fn probes(role: &Role) -> Vec<&Probe> {
    let mut all: Vec<&Probe> = Vec::new();
    all.extend(&role.rolling.last);
    let mend = role.rolling.mend.iter();
    all.extend(mend.flat_map(|mend| mend.serves.iter().chain(&mend.before)));
    all.extend(
        role.rolling
            .before
            .iter()
            .chain(&role.rolling.ready)
            .chain(&role.verify),
    );
    all.extend(
        role.status
            .role
            .iter()
            .chain(&role.status.version)
            .chain(&role.status.health),
    );
    if let Some(quorum) = &role.quorum {
        all.push(&quorum.mode);
        all.extend(&quorum.synced);
    }
    if let Some(words) = role.one_by_one() {
        all.extend(words.joined.iter().chain(&words.second).chain(&words.alone));
    }
    all.extend(role.data.iter().flat_map(|data| &data.anew));
    all.extend(role.scale.iter().flat_map(|scale| &scale.leaves));
    all
}

/// The port that is asked for, and of which role; none where it is no port.
fn port<'a>(
    probe: &'a Probe,
    (name, role): (&'a str, &'a Role),
    of: &'a Descriptor,
) -> Option<(&'a str, &'a str)> {
    match probe {
        Probe::Tcp(port) | Probe::Http { port, .. } | Probe::FourLetter { port, .. } => {
            Some((name, port))
        }
        Probe::Quorum | Probe::QuorumOthers | Probe::QuorumLeader => {
            assert!(
                role.quorum.is_some(),
                "{name} asks for a quorum and has none"
            );
            None
        }
        Probe::Others(inner) => port(inner, (name, role), of),
        Probe::Some { role, asks } => {
            let other = of.roles.get(role);
            let other = other.unwrap_or_else(|| panic!("{name} asks some {role}"));
            port(asks, (role.as_str(), other), of)
        }
        Probe::Driver(_) | Probe::Exec { .. } | Probe::AnyOf(_) => None,
    }
}

/// The files that a descriptor names, but for those of its package.
fn named(descriptor: &Descriptor) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    names.extend(descriptor.config.iter().map(|config| config.known.clone()));
    let ways = descriptor.settings.values().flat_map(|s| &s.ways);
    names.extend(ways.flat_map(Way::hooks).map(str::to_owned));
    for role in descriptor.roles.values() {
        names.extend(role.files.iter().map(|file| file.template.clone()));
        names.extend(role.once.iter().map(|once| once.hook.clone()));
        let drain = role.rolling.drain.iter();
        names.extend(drain.flat_map(|drain| {
            let both = [&drain.hook, &drain.fill];
            both.into_iter().chain(&drain.leaves).cloned()
        }));
        let all = probes(role).into_iter().chain(&descriptor.verify);
        names.extend(all.flat_map(hooks));
    }
    names
}

/// The hooks of a question.
fn hooks(probe: &Probe) -> Vec<String> {
    match probe {
        Probe::Exec { hook, .. } => vec![hook.clone()],
        Probe::AnyOf(any) => any.iter().flat_map(hooks).collect(),
        Probe::Others(asks) | Probe::Some { asks, .. } => hooks(asks),
        _ => Vec::new(),
    }
}

/// The lock files and folders of a package, by version.
fn package_files(descriptor: &Descriptor) -> BTreeSet<String> {
    let sources = descriptor
        .package
        .iter()
        .flat_map(|package| &package.sources);
    let texts = sources.filter_map(|source| match source {
        Source::Maven { lock, .. } => Some(lock.clone()),
        Source::Folder { path } => Some(format!("{path}/")),
        _ => None,
    });
    let texts: Vec<String> = texts.collect();
    let render = |text: &String, version: &String| {
        let values =
            minijinja::context! { version, release => &descriptor.versions[version].values };
        Renderer::new()
            .render("source", text, &values)
            .expect("it renders")
    };
    let versions = descriptor.versions.keys();
    versions
        .flat_map(|version| texts.iter().map(move |text| render(text, version)))
        .collect()
}

fn each(check: impl Fn(&str, &Folder)) {
    for (name, folder) in catalogue().iter() {
        check(name.as_str(), folder);
    }
}

#[test]
fn every_file_that_a_service_names_is_there() {
    each(|name, folder| {
        for file in named(&folder.descriptor) {
            assert!(folder.file(&file).is_some(), "{name} names `{file}`");
        }
        for file in package_files(&folder.descriptor) {
            let there = folder
                .files()
                .any(|(p, _)| p == file || file.ends_with('/') && p.starts_with(&file));
            assert!(there, "the package of {name} names `{file}`");
        }
    });
}

#[test]
fn every_template_and_hook_of_a_service_is_used() {
    each(|name, folder| {
        let named = named(&folder.descriptor);
        let (tree, package) = (|p: &str| p.contains('/'), package_files(&folder.descriptor));
        for (path, _) in folder.files() {
            let template = path.ends_with(".j2")
                && !(tree(path) && package.iter().any(|f| path.starts_with(f)));
            if template || path.starts_with("hooks/") {
                assert!(named.contains(path), "{name} does not use `{path}`");
            }
        }
    });
}

#[test]
fn the_words_of_every_service_hold_together() {
    each(|name, folder| {
        let descriptor = &folder.descriptor;
        assert!(
            descriptor.default_version().is_some(),
            "{name} has no version"
        );
        for (role_name, role) in &descriptor.roles {
            let who = format!("{name}.{role_name}");
            let reloads = role
                .files
                .iter()
                .any(|file| file.on_change == OnChange::Reload);
            assert!(
                !reloads || !role.run.reload.is_empty(),
                "{who} reloads without a command"
            );
            for probe in probes(role) {
                if let Some((of, port)) = port(probe, (role_name.as_str(), role), descriptor) {
                    let of: RoleName = of.parse().expect("a role");
                    let there = descriptor.roles[&of].ports.contains_key(port);
                    assert!(there, "{who} asks port `{port}` of {of}");
                }
            }
        }
        for need in &descriptor.needs {
            let need = need.service();
            assert!(catalogue().get(need).is_some(), "{name} needs {need}");
        }
    });
}

#[test]
fn who_is_told_comes_before_and_who_makes_data_after() {
    each(|name, folder| {
        let roles = &folder.descriptor.roles;
        for (n, (role_name, role)) in roles.iter().enumerate() {
            let who = format!("{name}.{role_name}");
            for told in role.told() {
                let there = roles.get_index_of(told);
                assert!(there.is_some_and(|at| at < n), "{who} tells {told}");
            }
            let since = role.data.as_ref().and_then(|data| data.since.as_ref());
            let later = since.map(|since| roles.get_index_of(since));
            assert!(later.is_none_or(|at| at > Some(n)), "{who} since {since:?}");
        }
    });
}

#[test]
fn fronts_lead_to_ports_and_have_names_of_their_own() {
    each(|name, folder| {
        let roles = || folder.descriptor.roles.iter();
        let ports = roles().flat_map(|(_, role)| role.ports.keys());
        let ports: BTreeSet<_> = ports.collect();
        for (role_name, role) in roles() {
            for (front, words) in &role.fronts {
                let who = format!("{name}.{role_name}: {front}");
                assert!(role.ports.contains_key(&words.port), "{who}");
                // `ports:` of the inventory names both.
                assert!(!ports.contains(front), "{who}");
                let path = words.check.as_deref().unwrap_or("/");
                assert!(path.starts_with('/') && !path.contains(' '), "{who}");
            }
            let rights = &role.run.capabilities;
            let known = |right: &String| right.starts_with("CAP_");
            assert!(rights.iter().all(known), "{name}: {rights:?}");
        }
    });
}

#[test]
fn ways_between_versions_are_known_and_have_what_is_held() {
    each(|name, folder| {
        let versions = &folder.descriptor.versions;
        for (version, words) in versions {
            for from in words.from.iter().chain(words.not_from.keys()) {
                assert!(versions.contains_key(from), "{name} {version} names {from}");
                assert!(from != version, "{name} {version} follows itself");
            }
            let both = |from: &&String| words.not_from.contains_key(*from);
            assert_eq!(words.from.iter().find(both), None, "{name} {version}");
            let values = folder
                .descriptor
                .finalize
                .iter()
                .flat_map(|f| f.holds.values());
            for value in values {
                assert!(
                    words.values.contains_key(value),
                    "{name} {version} has no {value}"
                );
            }
        }
    });
}

/// All clusters of the cases.
fn clusters(catalogue: &Catalogue) -> Vec<Cluster> {
    let cases = services()
        .into_iter()
        .flat_map(|folder| files(&folder.join("cases"), "yaml"));
    cases
        .map(|path| cluster(&read(&path).inventory, catalogue))
        .collect()
}

#[test]
fn every_role_renders_strictly_on_every_host_and_in_every_version() {
    let catalogue = catalogue();
    let mut rendered = BTreeSet::new();
    for original in clusters(&catalogue) {
        for mut cluster in [local(&original), original] {
            for service in cluster.services.values_mut() {
                rendered.insert((service.name.clone(), service.version.clone()));
            }
            for host in cluster.hosts.keys() {
                let files = Rendered::new(&cluster, &catalogue, host, &[].into());
                let untold = ["undefined", "None", "none\n", "{{", "{%"];
                for (path, text) in files.files() {
                    let odd = untold.iter().find(|word| text.contains(**word));
                    let own = text.contains("shade=none");
                    assert!(odd.is_none() || own, "{path} holds {odd:?}:\n{text}");
                }
            }
            newest_and_oldest(&mut cluster, &catalogue);
        }
    }
    let covered: BTreeSet<_> = rendered.into_iter().map(|(name, _)| name).collect();
    let all: BTreeSet<_> = catalogue.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(covered, all, "each service has a case");
}

/// Renders with every version that each service supports.
fn newest_and_oldest(cluster: &mut Cluster, catalogue: &Catalogue) {
    for name in cluster.services.keys().cloned().collect::<Vec<_>>() {
        let versions = &catalogue.get(&name).expect("known").descriptor.versions;
        for version in versions.keys() {
            cluster.services[&name].version.clone_from(version);
            bare_plan(cluster, catalogue, &[].into())
                .unwrap_or_else(|e| panic!("{name} {version}: {e}"));
            let wanted = &cluster.services[&name];
            if catalogue
                .get(&name)
                .is_some_and(|f| f.descriptor.package.is_some())
            {
                let request = packages::request(catalogue, wanted, sdtd::id::Arch::Aarch64);
                request.unwrap_or_else(|e| panic!("{name} {version}: {e}"));
            }
        }
    }
}

#[test]
fn the_keys_that_the_templates_write_are_known_upstream() {
    let catalogue = catalogue();
    let case = read(&project("templates/kafka/cases/three-small-brokers.yaml"));
    let cluster = cluster(&case.inventory, &catalogue);
    let rendered = Rendered::new(&cluster, &catalogue, &case.host, &case.memory);
    for (service, file) in [("kafka", "server.properties"), ("zookeeper", "zoo.cfg")] {
        let known = std::fs::read_to_string(project(&format!("templates/{service}/config.txt")));
        let known = known.expect("readable");
        for key in rendered
            .keys(file)
            .into_keys()
            .filter(|key| !key.starts_with("server."))
        {
            assert!(known.lines().any(|line| line == key), "{file}: `{key}`");
        }
    }
}
