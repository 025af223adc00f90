//! What services write into their data folders when they start.

use std::sync::Arc;

use sdtd::catalogue::Catalogue;
use sdtd::facts::FileFact;
use sdtd::inventory::{Cluster, Connection};
use sdtd::transport::fake::{FakeState, Starter};

/// The sign by which a folder's data is known, in the folders of each unit.
pub fn starter(cluster: &Cluster, catalogue: &Catalogue) -> Starter {
    let (cluster, catalogue) = (cluster.clone(), catalogue.clone());
    Arc::new(move |state, host, unit| {
        for (name, service) in &cluster.services {
            let roles = catalogue.get(name).map(|f| &f.descriptor.roles);
            for (role, words) in roles.into_iter().flatten() {
                let holds = words.data.as_ref().and_then(|data| data.holds.as_ref());
                let (Some(holds), Some(suffix)) =
                    (holds, unit.strip_prefix(&format!("{name}-{role}")))
                else {
                    continue;
                };
                // One that the inventory no longer names is a real one.
                let connection = cluster.hosts.get(host).map(|host| &host.connection);
                let root = match connection {
                    Some(Connection::Local { root: Some(root) }) => root.display().to_string(),
                    _ => String::new(),
                };
                let usual = [format!("/var/lib/{name}/{role}")];
                let folders = if service.data.is_empty() {
                    &usual[..]
                } else {
                    &service.data[..]
                };
                for folder in folders {
                    write(state, format!("{root}{folder}{suffix}/{holds}"));
                }
            }
        }
    })
}

fn write(state: &mut FakeState, path: String) {
    let file = FileFact {
        text: "data".to_owned(),
        mode: "0640".to_owned(),
        owner: "root".to_owned(),
    };
    state.files.insert(path, file);
}
