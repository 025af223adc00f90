//! What the tests share: small archives, requests, and an HTTP server that can misbehave.

use super::sum::Sums;
use super::{Arch, Artifact, ArtifactError, Progress, Request, Shelf, Source};
use flate2::{Compression, write::GzEncoder};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

pub(crate) fn tar(names: &[&str]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(700);
        header.set_cksum();
        builder.append(&header, &[b'x'; 700][..]).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn request(name: &str, version: &str) -> Request {
    Request {
        name: name.into(),
        version: version.into(),
        arch: Arch::X86_64,
        sources: Vec::new(),
        given: None,
        file_names: Vec::new(),
    }
}

pub(crate) fn archive(url: String, sha512: Option<String>) -> Source {
    Source::Archive {
        url,
        sha512,
        sums: None,
        sha256: None,
        strip: 1,
    }
}

/// An archive as upstream makes them, with content that gzip can't make small.
pub(crate) fn release() -> Vec<u8> {
    let mut noise = Vec::new();
    let mut state: u32 = 1;
    while noise.len() < 600_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push((state >> 24) as u8);
    }
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(noise.len() as u64);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, "mill_2.13-3.9.1/libs/a.jar", &noise[..])
        .unwrap();
    gzip(&builder.into_inner().unwrap())
}

pub(crate) fn sums(bytes: &[u8]) -> Sums {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Sums::of(file.path()).unwrap()
}

/// A shelf on an empty folder, and what it told.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) shelf: Shelf,
    pub(crate) told: Mutex<Vec<Progress>>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().join("cache"));
        Self {
            dir,
            shelf,
            told: Mutex::default(),
        }
    }

    pub(crate) fn with_packages(files: &[(&str, &[u8])]) -> Self {
        let mut bench = Self::new();
        for (name, bytes) in files {
            bench.file(name, bytes);
        }
        bench.shelf = bench.shelf.with_packages(bench.dir.path().join("own"));
        bench
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let folder = self.dir.path().join("own");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
        folder.join(name)
    }

    pub(crate) async fn resolve(&self, wanted: &Request) -> Result<Artifact, ArtifactError> {
        let listener = |progress| self.told.lock().unwrap().push(progress);
        self.shelf.resolve(wanted, &listener).await
    }

    /// Names of the cache's files but for locks and stamps.
    pub(crate) fn kept(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path().join("cache"))
            .into_iter()
            .flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| !name.ends_with(".lock") && name != "stamps")
            .collect()
    }
}

/// How the server treats one path.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) body: Vec<u8>,
    pub(crate) tag: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) status: u16,
    /// Hang up after so many bytes of each answer.
    pub(crate) cut: Option<usize>,
}

impl Page {
    pub(crate) fn new(body: impl Into<Vec<u8>>) -> Self {
        let kind = "application/gzip";
        Self {
            body: body.into(),
            tag: "\"one\"",
            kind,
            status: 200,
            cut: None,
        }
    }
}

type Pages = Arc<Mutex<Vec<(String, Page)>>>;

/// A server on 127.0.0.1. It ends with the test's process.
pub(crate) struct Server {
    pub(crate) root: String,
    pages: Pages,
    /// `path first-byte bytes-sent` of each answer.
    pub(crate) log: Arc<Mutex<Vec<(String, usize, usize)>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let server = Self {
            root,
            pages: Arc::default(),
            log: Arc::default(),
        };
        let (pages, log) = (server.pages.clone(), server.log.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answered = answer(stream, &pages);
                log.lock().unwrap().extend(answered);
            }
        });
        server
    }

    pub(crate) fn put(&self, path: &str, page: Page) -> String {
        let mut pages = self.pages.lock().unwrap();
        pages.retain(|(known, _)| known != path);
        pages.push((path.into(), page));
        format!("{}{path}", self.root)
    }
}

fn answer(mut stream: TcpStream, pages: &Pages) -> Option<(String, usize, usize)> {
    let mut head = Vec::new();
    for line in BufReader::new(stream.try_clone().ok()?).lines() {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let path = head.first()?.split_whitespace().nth(1)?.to_owned();
    let header = |name: &str| {
        let line = head
            .iter()
            .find(|line| line.to_lowercase().starts_with(name))?;
        Some(line.split_once(": ")?.1.to_owned())
    };
    let page = pages
        .lock()
        .unwrap()
        .iter()
        .find(|(known, _)| *known == path)?
        .1
        .clone();
    let same = header("if-range").is_none_or(|tag| tag == page.tag);
    let first = header("range").filter(|_| same).and_then(|range| {
        range
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse::<usize>()
            .ok()
    });
    let total = page.body.len();
    let (status, from) = match first {
        Some(first) if first >= total => (416, total),
        Some(first) => (206, first),
        None => (page.status, 0),
    };
    let rest = &page.body[from..];
    let range = match status {
        206 => format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1),
        416 => format!("Content-Range: bytes */{total}\r\n"),
        _ => String::new(),
    };
    let length = rest.len();
    let (kind, tag) = (page.kind, page.tag);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nETag: {tag}\r\n{range}\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let sent = &rest[..page.cut.unwrap_or(length).min(length)];
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(sent).ok()?;
    Some((path, from, sent.len()))
}
