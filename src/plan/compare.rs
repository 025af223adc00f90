//! What is against what should be, thing by thing: each either needs nothing or becomes a step.

use crate::facts::HostFacts;
use crate::plan::desired::DesiredFile;
use crate::plan::model::{Step, UnitChange};

/// Collects the steps of one batch and counts what needs none.
#[derive(Debug, Default)]
pub struct Steps {
    /// What must be done.
    pub steps: Vec<Step>,
    /// How many things needed nothing.
    pub unchanged: usize,
}

impl Steps {
    fn push_if(&mut self, changed: bool, step: impl FnOnce() -> Step) -> bool {
        if changed {
            self.steps.push(step());
        } else {
            self.unchanged += 1;
        }
        changed
    }

    /// A user.
    pub fn user(&mut self, facts: &HostFacts, name: Option<&String>) {
        if let Some(name) = name {
            self.push_if(!facts.users.contains(name), || Step::User {
                name: name.clone(),
            });
        }
    }

    /// A folder.
    pub fn dir(&mut self, facts: &HostFacts, path: &str, owner: Option<&String>, mode: &str) {
        let same = facts
            .dirs
            .get(path)
            .is_some_and(|dir| dir.mode == mode && owner.is_none_or(|owner| &dir.owner == owner));
        self.push_if(!same, || Step::Dir {
            path: path.to_owned(),
            owner: owner.cloned(),
            mode: mode.to_owned(),
        });
    }

    /// A file; says whether it changes.
    pub fn file(&mut self, facts: &HostFacts, file: &DesiredFile, owner: Option<&String>) -> bool {
        let now = facts.files.get(&file.path);
        let same = now.is_some_and(|now| {
            now.text == file.text
                && now.mode == file.mode
                && owner.is_none_or(|owner| &now.owner == owner)
        });
        self.push_if(!same, || Step::File {
            path: file.path.clone(),
            before: now.map(|now| now.text.clone()),
            after: file.text.clone(),
            owner: owner.cloned(),
            mode: file.mode.clone(),
            own: file.own,
        })
    }

    /// A marked block in a file of somebody else's.
    pub fn block(&mut self, facts: &HostFacts, path: &str, name: &str, after: Option<String>) {
        let text = facts
            .files
            .get(path)
            .map(|file| file.text.as_str())
            .unwrap_or_default();
        let before = block_in(text, name);
        self.push_if(before != after, || Step::Block {
            path: path.to_owned(),
            name: name.to_owned(),
            before,
            after,
        });
    }

    /// A link.
    pub fn link(&mut self, facts: &HostFacts, path: &str, to: &str) {
        let now = facts.links.get(path);
        self.push_if(now.is_none_or(|now| now != to), || Step::Link {
            path: path.to_owned(),
            before: now.cloned(),
            to: to.to_owned(),
        });
    }

    /// A unit.
    pub fn unit(&mut self, unit: &str, to: UnitChange, within: u64) {
        self.steps.push(Step::Unit {
            unit: unit.to_owned(),
            to,
            within,
        });
    }
}

/// The line that opens a block.
#[must_use]
pub fn block_begin(name: &str) -> String {
    format!("# >>> {name} (written by sdtd) >>>")
}

/// The line that closes a block.
#[must_use]
pub fn block_end(name: &str) -> String {
    format!("# <<< {name} <<<")
}

/// A text with the block in it, in the place of one of that name; none takes it out.
#[must_use]
pub fn with_block(text: &str, name: &str, after: Option<&str>) -> String {
    let whole = |inside: &str| format!("{}\n{inside}\n{}\n", block_begin(name), block_end(name));
    let mut text = match block_in(text, name) {
        Some(before) => text.replace(&whole(&before), ""),
        None => text.to_owned(),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.extend(after.map(whole));
    text
}

/// The text between the marks of a block, where there is one.
#[must_use]
pub fn block_in(text: &str, name: &str) -> Option<String> {
    let (begin, end) = (block_begin(name), block_end(name));
    let mut lines = text.lines().skip_while(|line| *line != begin);
    lines.next()?;
    Some(
        lines
            .take_while(|line| *line != end)
            .collect::<Vec<_>>()
            .join("\n"),
    )
}
