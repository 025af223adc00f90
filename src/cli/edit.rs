//! Commands that change a value of the user's inventory: shown with the plan, written once it is agreed to.

use std::fmt::Write as _;
use std::path::PathBuf;

use similar::{ChangeTag, TextDiff};

use super::deploy::{Goal, carry_out};
use super::setup::{self, Opened, Run};
use super::{Global, InventoryArg};
use crate::catalogue::Catalogue;
use crate::error::{Failure, Kind};
use crate::event::Problem;

/// A change of the inventory that is written once it is agreed to.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The file.
    pub path: PathBuf,
    /// The lines that change, for people.
    pub shown: String,
    before: String,
    text: String,
}

impl Edit {
    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written, or is no longer as it was when the change was shown.
    pub fn write(&self) -> Result<(), Failure> {
        let path = self.path.display();
        if std::fs::read_to_string(&self.path).is_ok_and(|now| now != self.before) {
            let cause = format!("{path}: somebody changed it meanwhile; it is left as it is");
            let help = "run the same command again: it is read anew";
            return Err(Failure::new(Kind::Refused, Problem::new(cause).help(help)));
        }
        super::init::write(&self.path, &self.text)
            .map_err(|error| Failure::of(Kind::Failed, format!("{path}: {error}")))
    }
}

/// Opens the inventory as it will be after a change, and says what changes. The file stays as it is.
///
/// # Errors
/// As [`setup::open_edited`] tells.
pub fn open(
    global: &Global,
    arg: &InventoryArg,
    change: impl FnOnce(&Catalogue, &str) -> Result<String, Failure>,
) -> Result<(Opened, Option<Edit>), Failure> {
    let mut before = String::new();
    let opened = setup::open_edited(global, arg, |catalogue, text| {
        text.clone_into(&mut before);
        change(catalogue, text)
    })?;
    let edit = Edit {
        path: opened.loaded.path.clone(),
        shown: shown(&before, &opened.loaded.text),
        text: opened.loaded.text.clone(),
        before,
    };
    Ok((opened, Some(edit).filter(|edit| edit.text != edit.before)))
}

/// Plans, asks, writes the inventory, and does what it says by then.
///
/// # Errors
/// As the exit codes tell; nothing is written unless it is agreed to.
pub async fn bring_about(global: &Global, mut run: Run, edit: Option<Edit>) -> Result<(), Failure> {
    match run.flow.plan(true).await {
        Ok(planned) => {
            setup::remember(&run.dirs, &run.path);
            carry_out(global, run, planned, (Goal::Deploy, edit)).await
        }
        Err(failure) => Err(run
            .end(Some(failure), "there is no plan; nothing was changed")
            .await),
    }
}

/// The lines of the inventory that change.
fn shown(before: &str, after: &str) -> String {
    let mut out = String::new();
    for change in TextDiff::from_lines(before, after).iter_all_changes() {
        let mark = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => continue,
        };
        let _ = writeln!(out, "  {mark} {}", change.value().trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_changed_meanwhile_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory.yaml");
        let edit = Edit {
            path: path.clone(),
            shown: String::new(),
            before: "brokers: 3\n".to_owned(),
            text: "brokers: 5\n".to_owned(),
        };
        std::fs::write(&path, "brokers: 4\n").unwrap();
        assert_eq!(edit.write().unwrap_err().kind, Kind::Refused);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "brokers: 4\n");
        std::fs::write(&path, &edit.before).unwrap();
        edit.write().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), edit.text);
    }
}
