//! What the user says of a roll: words that all commands have that restart members.

use clap::Args;

use crate::flow::Flow;

/// The word by which it is agreed to that something can't be used meanwhile.
#[derive(Debug, Default, Args)]
pub struct AcceptArg {
    /// Restart members though some of what they hold has no other copy: nobody can use it meanwhile.
    #[arg(long)]
    accept_unavailable: bool,
}

impl AcceptArg {
    /// Tells the flow.
    pub fn give(&self, flow: &mut Flow) {
        flow.accepts_outage = self.accept_unavailable;
    }
}

/// The words of a roll.
#[derive(Debug, Default, Args)]
pub struct RollArgs {
    #[command(flatten)]
    accept: AcceptArg,
    /// Restart the next member as soon as no write is refused for want of copies in sync, though not all are.
    #[arg(long)]
    min_isr_only: bool,
    /// How many members of a role may be down at once, of all or of one (may be repeated); one if nothing is said.
    #[arg(long, value_name = "[SERVICE.ROLE=]N", value_parser = width)]
    max_unavailable: Vec<Width>,
}

/// A role, or all, and how many of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Width(Option<String>, u16);

fn width(text: &str) -> Result<Width, String> {
    let (role, number) = match text.split_once('=') {
        Some((role, number)) => (Some(role.to_owned()), number),
        None => (None, text),
    };
    match number.parse() {
        Ok(0) => Err("with none down at once nothing can be restarted; 1 is the least".to_owned()),
        Ok(number) => Ok(Width(role, number)),
        Err(_) => Err("write a number, or `service.role=` and a number".to_owned()),
    }
}

impl RollArgs {
    /// Tells the flow.
    pub fn give(&self, flow: &mut Flow) {
        self.accept.give(flow);
        flow.roll.least = self.min_isr_only;
        for Width(role, number) in &self.max_unavailable {
            match role {
                Some(role) => _ = flow.roll.widths.insert(role.clone(), *number),
                None => flow.roll.width = Some(*number),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_of_all_roles_or_of_one_and_never_nothing() {
        assert_eq!(width("2"), Ok(Width(None, 2)));
        assert_eq!(width("db.node=3"), Ok(Width(Some("db.node".to_owned()), 3)));
        for wrong in ["0", "db.node=0", "-1", "many", "db.node="] {
            assert!(width(wrong).is_err(), "{wrong}");
        }
    }
}
