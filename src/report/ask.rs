//! Questions on a terminal, and failures that come before any run.

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::json;

use crate::error::Failure;
use crate::event::SCHEMA;

/// Whether anybody is there to answer.
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question and takes one line.
///
/// # Errors
/// When nobody is there to answer.
pub fn ask_line(question: &str) -> io::Result<String> {
    let mut err = io::stderr().lock();
    write!(err, "{question}")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Asks for yes or no; anything but yes is no.
///
/// # Errors
/// When nobody is there to answer.
pub fn ask_yes(question: &str) -> io::Result<bool> {
    let answer = ask_line(&format!("{question} [y/N] "))?;
    Ok(matches!(
        answer.to_lowercase().as_str(),
        "y" | "yes" | "o" | "oui"
    ))
}

/// Asks for a secret; it is not shown.
///
/// # Errors
/// When nobody is there to answer.
pub fn ask_secret(question: &str) -> io::Result<String> {
    rpassword::prompt_password(question)
}

/// Tells a failure on standard error, or as one JSON object on standard output.
pub fn tell_failure(failure: &Failure, as_json: bool) {
    // Nobody is left to tell where even this can't be written.
    let _ = if as_json {
        let told = json!({
            "v": SCHEMA, "event": "failed", "exit": failure.kind.code(), "problems": failure.problems,
        });
        writeln!(io::stdout().lock(), "{told}")
    } else {
        let text = failure.to_string();
        let plain = text.contains("error: ") || text.contains("error[");
        let mut err = anstream::stderr().lock();
        if plain {
            writeln!(err, "{text}")
        } else {
            writeln!(err, "error: {text}")
        }
    };
}
