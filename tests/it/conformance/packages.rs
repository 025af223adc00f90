//! Packages on their way to a host.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sdtd::digest::hex;
use sdtd::plan::Step;
use sdtd::transport::Shipment;
use sha2::{Digest, Sha256};

use super::seen::Seen;
use crate::scenarios::packages::tar;

struct Package {
    file: PathBuf,
    sha256: String,
    size: u64,
    step: Step,
}

impl Package {
    fn shipment(&self) -> Shipment<'_> {
        Shipment {
            file: &self.file,
            sha256: &self.sha256,
            size: self.size,
        }
    }
}

fn package(seen: &Seen, folder: &Path, name: &str, gzip: bool) -> Package {
    of_text(seen, (folder, name), gzip, "what it is\n")
}

fn of_text(seen: &Seen, (folder, name): (&Path, &str), gzip: bool, about: &str) -> Package {
    let mut bytes = tar(&format!("{name}-1/share/about"), about);
    if gzip {
        let fast = flate2::Compression::none();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), fast);
        packed.write_all(&bytes).expect("packed");
        bytes = packed.finish().expect("packed");
    }
    let file = folder.join(name);
    std::fs::write(&file, &bytes).expect("written");
    let (sha256, size) = (hex(&Sha256::digest(&bytes)), bytes.len() as u64);
    let tools = BTreeMap::from([(
        "bin/tool".to_owned(),
        "#!/bin/sh\nexec echo tool\n".to_owned(),
    )]);
    let step = Step::Package {
        name: name.to_owned(),
        version: "1".to_owned(),
        sha256: sha256.clone(),
        store: seen.at(&format!("/opt/sdtd/store/{name}-1")),
        size,
        strip: 1,
        gzip,
        owner: None,
        tools,
    };
    Package {
        file,
        sha256,
        size,
        step,
    }
}

/// Sent, unpacked, gone on with, damaged on the way, removed.
pub async fn scenario(seen: &mut Seen) {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = package(seen, folder.path(), "plain", false);
    let packed = package(seen, folder.path(), "packed", true);

    seen.say("sent and unpacked, plain and compressed; again");
    for one in [&plain, &packed] {
        seen.send(one.shipment()).await;
        seen.steps(std::slice::from_ref(&one.step)).await;
    }
    seen.steps(std::slice::from_ref(&plain.step)).await;
    if seen.host.kind == "local" {
        let about = seen.at("/opt/sdtd/store/plain-1/share/about");
        assert_eq!(
            std::fs::read_to_string(about).expect("unpacked"),
            "what it is\n"
        );
        let tool = std::fs::read_to_string(seen.at("/opt/sdtd/store/packed-1/bin/tool"));
        assert_eq!(tool.expect("written"), "#!/bin/sh\nexec echo tool\n");
    }

    seen.say("half of it is there: the other half is sent");
    let half = package(seen, folder.path(), "half", false);
    part(seen, &half, half.size / 2, "good").await;
    seen.send(half.shipment()).await;
    seen.send(half.shipment()).await;
    seen.steps(std::slice::from_ref(&half.step)).await;

    seen.say(
        "a connection that was given up delivers late, beside the next: it is whole all the same",
    );
    let long = "what it is\n".repeat(200_000);
    let twice = of_text(seen, (folder.path(), "twice"), false, &long);
    let (places, remote) = (seen.host.places(), &seen.host.remote);
    let send = || remote.send(&places, twice.shipment(), &|_| {});
    let (late, next) = tokio::join!(send(), send());
    late.and(next).expect("sent");
    seen.steps(std::slice::from_ref(&twice.step)).await;

    seen.say("what is there is not what was sent: it is sent again from the beginning");
    let damaged = package(seen, folder.path(), "damaged", false);
    part(seen, &damaged, damaged.size + 1, "bad").await;
    seen.send(damaged.shipment()).await;
    seen.steps(std::slice::from_ref(&damaged.step)).await;
    seen.send(damaged.shipment()).await;
    seen.steps(std::slice::from_ref(&damaged.step)).await;

    seen.say("a tree is removed");
    let path = seen.at("/opt/sdtd/store/plain-1");
    seen.steps(&[Step::Remove { path, data: false }]).await;
}

/// So many bytes of a package are on the host already, the right ones or others.
async fn part(seen: &mut Seen, package: &Package, bytes: u64, which: &str) {
    let sha256 = package.sha256.clone();
    if seen
        .host
        .meddle(|state| _ = state.incoming.insert(sha256, bytes))
    {
        return;
    }
    let arrival = seen.host.places().arrival(&package.sha256);
    // On a real host the good bytes would have come over the network: they are sent, then cut.
    if which == "good" {
        let sent = seen
            .host
            .remote
            .send(&seen.host.places(), package.shipment(), &|_| {})
            .await;
        sent.expect("sent");
        seen.meddle(&format!("truncate -s {bytes} '{arrival}'"))
            .await;
    } else {
        seen.meddle(&format!("head -c {bytes} /dev/zero >'{arrival}'"))
            .await;
    }
}
