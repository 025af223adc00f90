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
/// When nobody is there to answer, or the answer is the end of the input (Ctrl-D).
pub fn ask_line(question: &str) -> io::Result<String> {
    let mut err = io::stderr().lock();
    write!(err, "{question}")?;
    err.flush()?;
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer)? == 0 {
        writeln!(err)?;
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"));
    }
    Ok(answer.trim().to_owned())
}

/// Asks until the answer is one: what is wrong with it is said, and it is asked again. Enter takes the default,
/// where there is one.
///
/// # Errors
/// As [`ask_line`].
pub fn ask_until<T>(
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, Failure>,
) -> io::Result<T> {
    let hint = default.filter(|default| !default.is_empty());
    let hint = hint
        .map(|default| format!(" [{default}]"))
        .unwrap_or_default();
    let question = format!("{question}{hint}: ");
    let mut asked = question.clone();
    loop {
        let answer = ask_line(&asked)?;
        let answer = match default {
            Some(default) if answer.is_empty() => default,
            _ => &answer,
        };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(failure) => asked = format!("  {failure}\n{question}"),
        }
    }
}

/// Asks for yes or no; anything but yes is no.
///
/// # Errors
/// When nobody is there to answer.
pub fn ask_yes(question: &str) -> io::Result<bool> {
    let answer = match ask_line(&format!("{question} [y/N] ")) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        answer => answer?,
    };
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
