//! The kinds of hosts that scenarios run on.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use sdtd::exec::script::Places;
use sdtd::id::HostName;
use sdtd::transport::fake::{FakeState, World};
use sdtd::transport::{
    Become, Channel, Fake, HookAnswer, Local, Remote, Shell, Sockets, Ssh, SshOptions,
};

use crate::golden::tell;

/// Counts the folders of this run on a host over SSH: scenarios run at once.
static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A host, and where a scenario may write on it.
pub struct Host {
    /// What kind of host it is.
    pub kind: &'static str,
    /// The host.
    pub remote: Remote,
    /// What stands before every path.
    pub root: String,
    world: Option<Arc<Mutex<World>>>,
    _folder: tempfile::TempDir,
}

fn fake_name() -> HostName {
    "fake".parse().expect("a name")
}

impl Host {
    /// One of each kind.
    pub async fn all() -> Vec<Self> {
        let mut hosts = vec![Self::fake(), Self::local()];
        match std::env::var("SDTD_TEST_SSH") {
            Ok(destination) => hosts.push(Self::ssh(destination).await),
            Err(_) => tell("SKIPPED: conformance over SSH, SDTD_TEST_SSH is not set"),
        }
        hosts
    }

    fn fake() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        // A fake runs no hook: it answers by what stands in it.
        let answer = |world: &World, host: &HostName, path: &str| {
            let bad = world.hosts[host]
                .files
                .get(path)
                .is_none_or(|f| f.text.contains("exit 3"));
            HookAnswer {
                code: Some(if bad { 3 } else { 0 }),
                lines: Vec::new(),
            }
        };
        world.lock().expect("whole").hooks = Some(Arc::new(answer));
        let remote = Remote::Fake(Fake::new(&world, &fake_name()));
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            kind: "fake",
            remote,
            root: "/root".into(),
            world: Some(world),
            _folder: folder,
        }
    }

    fn local() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let remote = Remote::Shell(Shell {
            channel: Channel::Local(Local),
            rights: Become::No,
        });
        let root = folder.path().join("root").display().to_string();
        Self {
            kind: "local",
            remote,
            root,
            world: None,
            _folder: folder,
        }
    }

    async fn ssh(destination: String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = std::env::var_os("SDTD_TEST_SSH_CONFIG").map(Into::into);
        let options = SshOptions {
            destination,
            config,
            ..SshOptions::default()
        };
        let sockets = Sockets {
            run: folder.path(),
            kept: folder.path(),
        };
        let ssh = Ssh::connect(&options, sockets).await;
        let ssh = ssh.unwrap_or_else(|e| panic!("SDTD_TEST_SSH: {e}"));
        let remote = Remote::Shell(Shell {
            channel: Channel::Ssh(ssh),
            rights: Become::No,
        });
        let n = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let root = format!("/tmp/sdtd-conformance-{}-{n}", std::process::id());
        Self {
            kind: "ssh",
            remote,
            root,
            world: None,
            _folder: folder,
        }
    }

    /// Where sdtd keeps things below the root; units by pid files.
    pub fn places(&self) -> Places {
        Places {
            state: format!("{}/var/lib/sdtd/c", self.root),
            incoming: format!("{}/opt/sdtd/incoming", self.root),
            pidfiles: true,
        }
    }

    /// Changes a fake host; false if this is none.
    pub fn meddle(&self, change: impl FnOnce(&mut FakeState)) -> bool {
        let Some(world) = &self.world else {
            return false;
        };
        change(
            world
                .lock()
                .expect("whole")
                .hosts
                .get_mut(&fake_name())
                .expect("there"),
        );
        true
    }
}
