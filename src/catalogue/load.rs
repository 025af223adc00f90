//! Finds the service folders and reads their descriptors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::catalogue::{Descriptor, Role};
use crate::id::{RoleName, ServiceName};
use crate::inventory::Service;

/// The catalogue that is part of the binary.
#[derive(rust_embed::RustEmbed)]
#[folder = "templates/"]
struct Embedded;

/// Why a catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder's name is no service name.
    #[error("{}: {source}", path.display())]
    Name {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: crate::id::BadName,
    },
    /// A descriptor is wrong.
    #[error("{place}: {message}")]
    Descriptor {
        /// The file.
        place: String,
        /// What is wrong, with line and column.
        message: String,
    },
}

/// One service folder: its descriptor and its files.
#[derive(Debug, Clone)]
pub struct Folder {
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// Where it was read from, for messages.
    pub origin: String,
    files: Files,
}

impl Folder {
    /// The text of one of its files, by its path inside the folder.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&str> {
        self.files.texts.get(path).map(String::as_str)
    }

    /// All its texts, by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.files.texts.iter();
        texts.map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Its files that are no texts, by path, and where they are on this machine.
    pub fn others(&self) -> impl Iterator<Item = (&str, &Path)> {
        let others = self.files.others.iter();
        others.map(|(path, file)| (path.as_str(), file.as_path()))
    }
}

/// The files of a folder, by path.
#[derive(Debug, Clone, Default)]
struct Files {
    texts: BTreeMap<String, String>,
    /// What no template can be: it is a part of a package, and stays on the disk until that is made.
    others: BTreeMap<String, PathBuf>,
}

/// A longer file is no text that anybody writes.
const LONGEST_TEXT: u64 = 1 << 20;

/// All services, by name, and the engine's own shared templates.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    services: BTreeMap<ServiceName, Folder>,
    shared: BTreeMap<String, String>,
    drills: BTreeMap<String, DrillFile>,
}

/// A drill of the catalogue, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillFile {
    /// Where it was read from, for messages.
    pub origin: String,
    /// What stands there.
    pub text: String,
}

/// The folder that holds the engine's own templates, such as that of a unit.
const SHARED: &str = "_lib";
/// The folder that holds drills, a file each.
const DRILLS: &str = "_drills";

type Folders = BTreeMap<String, Files>;

impl Catalogue {
    /// The embedded catalogue, overridden and extended folder by folder by those in `dirs`.
    ///
    /// # Errors
    /// When a folder can't be read, or a descriptor is wrong (with file, line and column).
    pub fn load(dirs: &[PathBuf]) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::default();
        catalogue.add(embedded_files(), "embedded")?;
        for dir in dirs {
            catalogue.add(folder_files(dir)?, &dir.display().to_string())?;
        }
        Ok(catalogue)
    }

    /// The words of a role.
    #[must_use]
    pub fn role(&self, service: &ServiceName, role: &RoleName) -> Option<&Role> {
        self.get(service)?.descriptor.roles.get(role)
    }

    /// The folder of a service.
    #[must_use]
    pub fn get(&self, name: &ServiceName) -> Option<&Folder> {
        self.services.get(name)
    }

    /// The name of a service's folders on the hosts.
    #[must_use]
    pub fn folders<'a>(&'a self, name: &'a ServiceName) -> &'a str {
        let given = self.get(name).and_then(|f| f.descriptor.folders.as_deref());
        given.unwrap_or(name.as_str())
    }

    /// What a service's version says of itself; empty for a version that is not known.
    #[must_use]
    pub fn release(&self, service: &Service) -> BTreeMap<String, String> {
        let versions = self.get(&service.name).map(|f| &f.descriptor.versions);
        let release = versions.and_then(|v| v.get(&service.version));
        release.map(|v| v.values.clone()).unwrap_or_default()
    }

    /// All services in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&ServiceName, &Folder)> {
        self.services.iter()
    }

    /// Services that are meant where nobody says what shall run.
    pub fn usual(&self) -> impl Iterator<Item = &ServiceName> {
        let usual = |(name, folder): (_, &Folder)| folder.descriptor.usual.then_some(name);
        self.services.iter().filter_map(usual)
    }

    /// These services with all that run something and that they need by default, each after those that it needs.
    #[must_use]
    pub fn with_needs(&self, wanted: &[ServiceName]) -> Vec<ServiceName> {
        let (mut sorted, mut seen) = (Vec::new(), BTreeSet::new());
        wanted
            .iter()
            .for_each(|name| self.visit(name, &mut seen, &mut sorted));
        sorted
    }

    fn visit(
        &self,
        name: &ServiceName,
        seen: &mut BTreeSet<ServiceName>,
        sorted: &mut Vec<ServiceName>,
    ) {
        if !seen.insert(name.clone()) {
            return;
        }
        let Some(folder) = self.services.get(name) else {
            return;
        };
        let descriptor = &folder.descriptor;
        let needs = descriptor.needs_with(&descriptor.default_settings());
        needs.iter().for_each(|need| self.visit(need, seen, sorted));
        if !folder.descriptor.roles.is_empty() {
            sorted.push(name.clone());
        }
    }

    /// One of the engine's own templates.
    #[must_use]
    pub fn shared(&self, path: &str) -> Option<&str> {
        self.shared.get(path).map(String::as_str)
    }

    /// All drills, by name.
    #[must_use]
    pub fn drills(&self) -> &BTreeMap<String, DrillFile> {
        &self.drills
    }

    fn add(&mut self, folders: Folders, origin: &str) -> Result<(), CatalogueError> {
        for (name, files) in folders {
            if name == SHARED {
                self.shared.extend(files.texts);
                continue;
            }
            if name == DRILLS {
                self.add_drills(files.texts, origin);
                continue;
            }
            let place = format!("{origin}/{name}");
            let service = name
                .parse::<ServiceName>()
                .map_err(|source| CatalogueError::Name {
                    path: PathBuf::from(&place),
                    source,
                })?;
            let descriptor = descriptor(&files.texts, &place)?;
            self.services.insert(
                service,
                Folder {
                    descriptor,
                    origin: place,
                    files,
                },
            );
        }
        Ok(())
    }

    fn add_drills(&mut self, files: BTreeMap<String, String>, origin: &str) {
        for (file, text) in files {
            if let Some(name) = file.strip_suffix(".yaml") {
                let origin = format!("{origin}/{DRILLS}/{file}");
                self.drills
                    .insert(name.to_owned(), DrillFile { origin, text });
            }
        }
    }
}

fn descriptor(files: &BTreeMap<String, String>, place: &str) -> Result<Descriptor, CatalogueError> {
    let wrong = |message: String| CatalogueError::Descriptor {
        place: format!("{place}/service.yaml"),
        message,
    };
    let text = files
        .get("service.yaml")
        .ok_or_else(|| wrong("there is no such file".into()))?;
    serde_yaml::from_str(text).map_err(|error| wrong(error.to_string()))
}

fn embedded_files() -> Folders {
    let mut folders = Folders::new();
    for path in Embedded::iter() {
        let Some((folder, rest)) = path.split_once('/') else {
            continue;
        };
        let Some(file) = Embedded::get(&path) else {
            continue;
        };
        let text = String::from_utf8_lossy(&file.data).into_owned();
        let files = folders.entry(folder.to_owned()).or_default();
        files.texts.insert(rest.to_owned(), text);
    }
    folders
}

fn folder_files(dir: &Path) -> Result<Folders, CatalogueError> {
    let mut folders = Folders::new();
    for (path, is_dir) in entries(dir)? {
        if is_dir && let Some(name) = file_name(&path) {
            let mut files = Files::default();
            collect(&path, "", &mut files)?;
            folders.insert(name, files);
        }
    }
    Ok(folders)
}

fn collect(dir: &Path, prefix: &str, into: &mut Files) -> Result<(), CatalogueError> {
    for (path, is_dir) in entries(dir)? {
        let Some(name) = file_name(&path) else {
            continue;
        };
        let name = format!("{prefix}{name}");
        if is_dir {
            collect(&path, &format!("{name}/"), into)?;
        } else if let Some(text) = text(&path)? {
            into.texts.insert(name, text);
        } else {
            into.others.insert(name, path);
        }
    }
    Ok(())
}

/// What stands in a file; none where it is no text.
fn text(path: &Path) -> Result<Option<String>, CatalogueError> {
    let read = std::fs::metadata(path).and_then(|data| match data.len() {
        0..=LONGEST_TEXT => std::fs::read(path).map(|bytes| String::from_utf8(bytes).ok()),
        _ => Ok(None),
    });
    read.map_err(|source| CatalogueError::Read {
        path: path.to_owned(),
        source,
    })
}

fn entries(dir: &Path) -> Result<Vec<(PathBuf, bool)>, CatalogueError> {
    let wrap = |source| CatalogueError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(wrap)? {
        let path = entry.map_err(wrap)?.path();
        let is_dir = path.is_dir();
        found.push((path, is_dir));
    }
    found.sort();
    Ok(found)
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
}
