//! Some sshds on loopback addresses, each in a mount name space of its own, as if each were a host.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Every host has its own of these.
const OWN: [(&str, &str); 5] = [
    ("home", "/root"),
    ("ssh", "/etc/ssh"),
    ("opt", "/opt"),
    ("lib", "/var/lib"),
    ("run", "/run"),
];

/// The servers; they end with this.
pub struct Servers {
    folder: tempfile::TempDir,
    port: u16,
    children: Vec<Child>,
}

impl Servers {
    /// Starts so many, or says why it can't be done here.
    pub fn start(count: usize) -> Result<Self, String> {
        let sshd = sshd().ok_or("there is no sshd")?;
        if !succeeds("unshare", &["--mount", "true"]) {
            return Err("mount name spaces can't be made".to_owned());
        }
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
        let mut servers = Self {
            folder,
            port: free.local_addr().map_err(|e| e.to_string())?.port(),
            children: Vec::new(),
        };
        drop(free);
        servers.keygen("key");
        let known: String = (1..=count).map(|n| servers.prepare(n)).collect();
        servers.write("known", &known);
        let (port, key, known) = (servers.port, servers.at("key"), servers.at("known"));
        let config = format!(
            "Host *\n User root\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n UserKnownHostsFile {}\n \
             GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking yes\n",
            key.display(),
            known.display()
        );
        servers.write("config", &config);
        for n in 1..=count {
            let child = servers.run(&sshd, n);
            servers.children.push(child);
        }
        for n in 1..=count {
            servers.answers(n)?;
        }
        Ok(servers)
    }

    /// A path of a host, as this machine sees it.
    pub fn on(&self, n: usize, path: &str) -> PathBuf {
        let own = |(name, at): &(&str, &str)| {
            let rest = path.strip_prefix(at)?;
            Some(self.at(&format!("{n}/{name}{rest}")))
        };
        OWN.iter().find_map(own).expect("a path of its own")
    }

    /// The ssh configuration that reaches them.
    pub fn config(&self) -> PathBuf {
        self.at("config")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).expect("written");
    }

    fn keygen(&self, name: &str) -> String {
        let file = self.at(name).display().to_string();
        assert!(succeeds(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-f", &file]
        ));
        let text = fs::read_to_string(format!("{file}.pub")).expect("a key");
        text.trim().to_owned()
    }

    /// The files of a host; the line by which it is known.
    fn prepare(&self, n: usize) -> String {
        for (name, _) in OWN {
            fs::create_dir_all(self.at(&format!("{n}/{name}"))).expect("made");
        }
        for folder in ["home/.ssh", "run/sshd"] {
            fs::create_dir_all(self.at(&format!("{n}/{folder}"))).expect("made");
        }
        for folder in ["home", "home/.ssh"] {
            let own = fs::Permissions::from_mode(0o700);
            fs::set_permissions(self.at(&format!("{n}/{folder}")), own).expect("its own");
        }
        let host_key = self.keygen(&format!("{n}/ssh/ssh_host_ed25519_key"));
        let mine = fs::read_to_string(self.at("key.pub")).expect("a key");
        let text = format!("# of host {n}\r\n{}", mine.trim());
        self.write(&format!("{n}/home/.ssh/authorized_keys"), &text);
        // What it prints does not get into what it sends.
        self.write(&format!("{n}/home/.bashrc"), "echo hello from a profile\n");
        let mut users = fs::read_to_string("/etc/passwd").expect("users");
        if !users.contains("\nsshd:") {
            users.push_str("sshd:x:474:65534::/run/sshd:/usr/sbin/nologin\n");
        }
        self.write(&format!("{n}/passwd"), &users);
        let (port, address) = (self.port, address(n));
        let config = format!(
            "Port {port}\nListenAddress {address}\nHostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM no\nPidFile none\n\
             LogLevel VERBOSE\nStrictModes yes\n"
        );
        self.write(&format!("{n}/sshd_config"), &config);
        let words: Vec<&str> = host_key.split(' ').collect();
        format!("[{address}]:{port} {} {}\n", words[0], words[1])
    }

    fn run(&self, sshd: &Path, n: usize) -> Child {
        let mut script = "mount --make-rprivate /".to_owned();
        let own = |name: &str| self.at(&format!("{n}/{name}")).display().to_string();
        for (name, path) in OWN {
            let _ = write!(script, " && mount --bind {} {path}", own(name));
        }
        let _ = write!(script, " && mount --bind {} /etc/passwd", own("passwd"));
        let _ = write!(
            script,
            " && exec {} -D -e -f {}",
            sshd.display(),
            own("sshd_config")
        );
        let log = fs::File::create(self.at(&format!("{n}/log"))).expect("a log");
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", &script]);
        unshare
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("unshare")
    }

    /// Waits until a server answers.
    fn answers(&self, n: usize) -> Result<(), String> {
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect((address(n), self.port)).is_err() {
            if Instant::now() > until {
                return Err(fs::read_to_string(self.at(&format!("{n}/log"))).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The address of a host.
pub fn address(n: usize) -> String {
    format!("127.0.77.{n}")
}

fn succeeds(program: &str, words: &[&str]) -> bool {
    let ran = Command::new(program).args(words).output();
    ran.is_ok_and(|ran| ran.status.success())
}

/// Daemons are not always on the path of a user.
fn sshd() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    let folders = std::env::split_paths(&path).chain(more);
    folders
        .map(|folder| folder.join("sshd"))
        .find(|file| file.is_file())
}
