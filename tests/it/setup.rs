//! From an inventory's text to a plan, without any host.

use std::collections::BTreeMap;
use std::path::Path;

use sdtd::catalogue::Catalogue;
use sdtd::facts::HostFacts;
use sdtd::id::{Arch, HostName};
use sdtd::inventory::{Cluster, Context, Env, check};
use sdtd::plan::{Plan, PlanError, plan_of_facts};

use crate::golden::project;

/// The built-in catalogue with the odd services of the tests.
pub fn catalogue() -> Catalogue {
    Catalogue::load(&[project("tests/catalogue")]).expect("the catalogue can be read")
}

/// A checked inventory; its findings end the test.
#[track_caller]
pub fn cluster(text: &str, catalogue: &Catalogue) -> Cluster {
    let env = Env::from([("HOME".to_owned(), "/home/me".to_owned())]);
    let folder = Path::new("/inventories");
    let context = Context {
        catalogue,
        env: &env,
        folder,
    };
    match check(text, &context) {
        Ok((cluster, _)) => cluster,
        Err(findings) => {
            let causes: Vec<_> = findings.iter().map(|f| format!("{f:?}")).collect();
            panic!("the inventory is not good:\n{}\n{text}", causes.join("\n"))
        }
    }
}

/// What a bare host says of itself.
pub fn bare(name: &HostName, memory_mb: u64) -> HostFacts {
    HostFacts::bare(name.as_str(), Arch::Aarch64, memory_mb)
}

/// The plan of a cluster whose hosts are bare; those not named have 4 GiB.
pub fn bare_plan(
    cluster: &Cluster,
    catalogue: &Catalogue,
    memory: &BTreeMap<HostName, u64>,
) -> Result<Plan, PlanError> {
    let fact = |name: &HostName| {
        let memory_mb = memory.get(name).copied().unwrap_or(4096);
        (name.clone(), bare(name, memory_mb))
    };
    let facts = cluster.hosts.keys().map(fact).collect();
    plan_of_facts(cluster, catalogue, &facts)
}
