//! Connections that stay when a run ends, so that the next one need not make them again: most of what a run that
//! changes nothing takes is the key exchange of new ones.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use openssh::Session;

/// What the crate `openssh` calls the folder that it makes for a connection.
const MADE: &str = ".ssh-connection";
/// The socket in it.
const SOCKET: &str = "master";
/// A folder without a socket is left over once it is as old as this: a connection is made in less.
const LEFT_OVER: Duration = Duration::from_mins(2);

/// The folder of connections that are kept. Each has a link by its name, a digest of all that it was made from.
#[derive(Debug, Clone)]
pub struct Kept(PathBuf);

/// A name in the folder that no other run uses as long as this lives.
#[derive(Debug)]
pub struct Claim {
    link: PathBuf,
    _lock: File,
}

impl Kept {
    /// Opens the folder, and makes it where there is none.
    ///
    /// # Errors
    /// When it can't be made, or others may write to it: who can put a socket there could pose as any host.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let made = DirBuilder::new().mode(0o700).create(folder);
        if let Err(error) = made
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let found = std::fs::symlink_metadata(folder)?;
        let own = tempfile::tempfile()?.metadata()?.uid();
        if !found.is_dir() || found.uid() != own || found.mode() & 0o077 != 0 {
            let said = "it is not a folder that only you can read and write; remove it";
            return Err(io::Error::other(format!("{}: {said}", folder.display())));
        }
        Ok(Self(folder.to_owned()))
    }

    /// Claims a name; none if another run has it: sshd allows ten channels a connection, too few for two runs.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn claim(&self, name: &str) -> io::Result<Option<Claim>> {
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.0.join(format!("{name}.lock")))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Claim {
                link: self.0.join(name),
                _lock: lock,
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Ends the connections of these names, or all. A run that uses one keeps it to its own end.
    /// Returns how many there were.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub async fn end(&self, names: Option<&[String]>) -> io::Result<usize> {
        let mut ended = 0;
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let meant = names.is_none_or(|names| names.iter().any(|n| *n == name));
            if meant && path.is_symlink() {
                ended += usize::from(end(&path).await);
            }
        }
        self.sweep()?;
        Ok(ended)
    }

    /// Takes away what ended connections left behind.
    fn sweep(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            let made = entry.file_name().to_string_lossy().starts_with(MADE);
            if made && age > LEFT_OVER && !entry.path().join(SOCKET).exists() {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Claim {
    /// Where new connections are made.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.link.parent().unwrap_or(&self.link)
    }

    /// The connection that an earlier run left here, if it still answers on this side. Whether the host does shows
    /// with the first question.
    pub async fn resume(&self) -> Option<Session> {
        let session = resumed(&std::fs::read_link(&self.link).ok()?);
        session.check().await.ok()?;
        Some(session)
    }

    /// Keeps a new connection here in place of what was.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn keep(&self, session: Session) -> io::Result<Session> {
        let (socket, _) = session.detach();
        let aside = self.link.with_extension("new");
        let _ = std::fs::remove_file(&aside);
        symlink(&socket, &aside)?;
        std::fs::rename(&aside, &self.link)?;
        Ok(resumed(&socket))
    }

    /// Ends what is kept here.
    pub async fn end(&self) {
        end(&self.link).await;
    }
}

/// Unlike a session that was made, one that was resumed does not end its connection when it is dropped.
fn resumed(socket: &Path) -> Session {
    Session::resume_mux(socket.into(), None)
}

/// Ends the connection behind a link: it takes no new channels, and goes once those it has are closed.
async fn end(link: &Path) -> bool {
    let Ok(socket) = std::fs::read_link(link) else {
        return false;
    };
    let _ = std::fs::remove_file(link);
    let ended = resumed(&socket).close().await.is_ok();
    if let Some(folder) = socket.parent().filter(|_| ended) {
        let _ = std::fs::remove_dir_all(folder);
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn opened() -> (tempfile::TempDir, Kept) {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Kept::open(&folder.path().join("kept")).expect("a folder of our own");
        (folder, kept)
    }

    #[test]
    fn a_name_is_claimed_once_and_free_again_after() {
        let (_folder, kept) = opened();
        let first = kept.claim("pi1").expect("a file");
        assert!(first.is_some());
        assert!(kept.claim("pi1").expect("a file").is_none());
        assert!(kept.claim("pi2").expect("a file").is_some());
        drop(first);
        assert!(kept.claim("pi1").expect("a file").is_some());
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let (folder, kept) = opened();
        std::fs::set_permissions(&kept.0, std::fs::Permissions::from_mode(0o770)).expect("ours");
        let told = Kept::open(&kept.0).expect_err("refused").to_string();
        assert!(told.contains("only you can read and write"), "{told}");
        let link = folder.path().join("link");
        symlink(folder.path(), &link).expect("a link");
        assert!(Kept::open(&link).is_err());
    }

    #[tokio::test]
    async fn what_is_dead_is_not_resumed_and_swept_once_it_is_old() {
        let (folder, kept) = opened();
        let [old, young] = ["old", "young"].map(|name| kept.0.join(format!("{MADE}{name}")));
        for made in [&old, &young] {
            std::fs::create_dir(made).expect("a folder");
        }
        let long_ago = std::time::SystemTime::now() - 2 * LEFT_OVER;
        let times = std::fs::FileTimes::new().set_modified(long_ago);
        File::open(&old)
            .and_then(|f| f.set_times(times))
            .expect("set");
        symlink(young.join(SOCKET), kept.0.join("pi1")).expect("a link");
        let claim = kept.claim("pi1").expect("a file").expect("free");
        assert!(claim.resume().await.is_none());
        assert_eq!(kept.end(Some(&["pi2".to_owned()])).await.expect("read"), 0);
        assert!(kept.0.join("pi1").is_symlink() && young.exists() && !old.exists());
        assert_eq!(kept.end(None).await.expect("read"), 0);
        assert!(!kept.0.join("pi1").is_symlink());
        drop(folder);
    }
}
