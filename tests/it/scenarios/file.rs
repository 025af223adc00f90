//! A scenario's text: comments, commands, and what each command shows.
//!
//! ```text
//! # A comment stays as it is.
//! $ inventory <<EOF
//! cluster: c
//! EOF
//! $ deploy
//! done: 40 steps
//! ```

/// A command with what it is given and what it showed last.
#[derive(Debug, Clone)]
pub struct Command {
    /// Comments and empty lines above it.
    pub above: String,
    /// Its line, without the `$ `.
    pub line: String,
    /// The text between `<<EOF` and `EOF`.
    pub given: Option<String>,
}

impl Command {
    /// Its first word and the others; `'several words'` are one.
    pub fn words(&self) -> Vec<String> {
        let line = self.line.trim_end_matches("<<EOF");
        let mut words = Vec::new();
        for (n, part) in line.split('\'').enumerate() {
            if n % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words
    }

    /// The command as it stands in the file.
    fn text(&self) -> String {
        let given = self
            .given
            .as_ref()
            .map(|text| format!("{text}EOF\n"))
            .unwrap_or_default();
        format!("{}$ {}\n{given}", self.above, self.line)
    }
}

/// Reads a scenario; what commands showed is left out.
pub fn parse(text: &str) -> Vec<Command> {
    let (mut commands, mut above) = (Vec::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("$ ") {
            let given = command.ends_with("<<EOF").then(|| {
                let taken = lines.by_ref().take_while(|line| *line != "EOF");
                taken.map(|line| format!("{line}\n")).collect()
            });
            let above = std::mem::take(&mut above);
            commands.push(Command {
                above,
                line: command.to_owned(),
                given,
            });
        } else if line.starts_with('#') {
            above.push_str(line);
            above.push('\n');
        }
    }
    commands
}

/// The scenario with what its commands show now.
pub fn render(shown: &[(Command, String)]) -> String {
    let mut out = String::new();
    let mut apart = false;
    for (command, answer) in shown {
        if apart || !(command.above.is_empty() || out.is_empty()) {
            out.push('\n');
        }
        apart = !answer.trim().is_empty() || command.given.is_some();
        out.push_str(&command.text());
        let answer = answer.trim_end();
        for line in answer.lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}
