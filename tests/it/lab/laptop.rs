//! An operator's machine: a home of its own, and the program run there as a person would.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::events::Events;

/// The longest that a run may take before the test gives it up: others may build on the same machine.
const LIMIT: u64 = 600;

/// What a command did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    /// All that it said, for messages.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr).trim().to_owned()
    }

    /// The same, if it ended with this code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "the exit code; it said:\n{}",
            self.end()
        );
        self
    }

    /// The end of what it said: events of a whole run are many.
    fn end(&self) -> String {
        let all = self.all();
        let lines: Vec<&str> = all
            .lines()
            .filter(|line| !line.contains("\"event\":\"transfer\""))
            .collect();
        let cut = |line: &&str| line.chars().take(600).collect::<String>();
        let last = lines[lines.len().saturating_sub(25)..].iter();
        last.map(cut).collect::<Vec<_>>().join("\n")
    }

    /// Its events, where it was run with `--json`.
    pub fn events(&self) -> Events {
        Events::read(&self.stdout)
    }

    /// The same, if all these words are somewhere in what it said.
    pub fn says(self, words: &[&str]) -> Self {
        let all = self.all();
        for word in words {
            assert!(all.contains(word), "`{word}` is not said in:\n{all}");
        }
        self
    }
}

/// A command under way.
pub struct Running {
    child: Child,
    began: Instant,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

fn reader(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn all_of(reader: &mut Option<JoinHandle<String>>) -> String {
    reader
        .take()
        .and_then(|r| r.join().ok())
        .unwrap_or_default()
}

impl Running {
    /// Starts a command, in a process group of its own, as a terminal would.
    pub fn start(command: &mut Command) -> Self {
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().expect("the command can be started");
        let stdout = reader(child.stdout.take().expect("its output"));
        let stderr = reader(child.stderr.take().expect("its complaints"));
        Self {
            child,
            began: Instant::now(),
            stdout: Some(stdout),
            stderr: Some(stderr),
        }
    }

    /// How long it has been running.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until something holds that it brings about.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        while !holds() {
            let late = self.age() > Duration::from_secs(LIMIT);
            assert!(!late && !self.is_over(), "it never came to this: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether it ended.
    pub fn is_over(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// What is typed to it, where its input is a pipe.
    pub fn keyboard(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("its input")
    }

    /// What Ctrl-C on a terminal does: the signal goes to the whole group.
    pub fn interrupt(&self) {
        let group = format!("-{}", self.child.id());
        let sent = Command::new("kill").args(["-INT", "--", &group]).status();
        assert!(sent.is_ok_and(|s| s.success()), "the signal was not sent");
    }

    /// kill -9 of the program alone; its ssh clients live on, as they would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end, at most so many seconds.
    pub fn wait(mut self, seconds: u64) -> Ran {
        let status = loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                break status;
            }
            if self.began.elapsed() > Duration::from_secs(seconds) {
                let _ = self.child.kill();
                let said = all_of(&mut self.stdout);
                let last: Vec<&str> = said.lines().rev().take(10).collect();
                panic!("not over after {seconds} s; the last it said: {last:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let took = self.began.elapsed();
        Ran {
            code: status.code(),
            stdout: all_of(&mut self.stdout),
            stderr: all_of(&mut self.stderr),
            took,
        }
    }
}

impl Drop for Running {
    /// What a failed test began does not go on behind the next one.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Runs a command to its end, at most so many seconds.
pub fn run_for(command: &mut Command, seconds: u64) -> Ran {
    Running::start(command).wait(seconds)
}

/// The program with these words in a folder, with what it keeps in another; not started yet.
pub fn sdtd_in(folder: &Path, home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sdtd"));
    command
        .args(words)
        .current_dir(folder)
        .env("SDTD_HOME", home)
        .env_remove("SDTD_INVENTORY")
        .stdin(Stdio::null());
    command
}

/// An operator's machine.
pub struct Laptop {
    home: tempfile::TempDir,
}

impl Laptop {
    /// A new one. Packages made here before are taken again: that is all that laptops share.
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a home");
        let cache = shared_cache();
        std::fs::create_dir_all(&cache).expect("the cache of packages");
        std::os::unix::fs::symlink(&cache, home.path().join("cache")).expect("a link to it");
        Self { home }
    }

    /// A file in its home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file in its home.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file in the home");
        path
    }

    /// Writes an inventory.
    pub fn inventory(&self, text: &str) -> PathBuf {
        self.write("inventory.yaml", text)
    }

    /// The program with these words, not started yet.
    pub fn sdtd(&self, words: &[&str]) -> Command {
        sdtd_in(self.home.path(), self.home.path(), words)
    }

    /// Runs the program.
    pub fn run(&self, words: &[&str]) -> Ran {
        run_for(&mut self.sdtd(words), LIMIT)
    }

    /// A script as a person would type it, with the program on the path; not started yet.
    pub fn shell(&self, script: &str) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_sdtd")).parent();
        let path = std::env::var("PATH").expect("a path");
        let mut shell = Command::new("sh");
        shell
            .args(["-e", "-c", script])
            .current_dir(self.path(""))
            .env("PATH", format!("{}:{path}", bin.expect("it").display()))
            .env("SDTD_HOME", self.path(""));
        shell
    }

    /// `deploy --yes --json`.
    pub fn deploy(&self, inventory: &Path) -> Ran {
        self.run(&["deploy", text(inventory), "--yes", "--json"])
    }

    /// `plan --check`, which must find nothing.
    pub fn expect_settled(&self, inventory: &Path) {
        self.run(&["plan", "--check", text(inventory)]).expect(0);
    }
}

/// A path as a word.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain letters")
}

/// Packages are made once, and found again by all cases and by later runs.
fn shared_cache() -> PathBuf {
    let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = xdg.or_else(home);
    base.unwrap_or_else(std::env::temp_dir).join("sdtd")
}
