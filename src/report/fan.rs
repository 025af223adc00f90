//! One stream of events, told to everyone who listens.

use std::io;
use std::path::PathBuf;

use super::{Json, Level, Out, Plain, Reporter, RunLog, Screen, Secrets, Terminal};
use crate::event::{Event, EventKind, SCHEMA};

/// How standard output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Live on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// Plain lines.
    Plain,
    /// One JSON object an event.
    Json,
}

/// What the command line says about output.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How standard output is written.
    pub format: Format,
    /// How much of it; of no concern to [`Format::Json`].
    pub level: Level,
    /// What is never shown.
    pub secrets: Secrets,
    /// Where logs of runs are kept; none for commands that leave no trace.
    pub state: Option<PathBuf>,
}

type Sink = Box<dyn Reporter + Send>;

/// Tells every event to standard output and to the run's log.
///
/// One that cannot write is dropped with a warning to the others: a full disk ends a log, not a deploy.
#[derive(Default)]
pub struct Reporters {
    sinks: Vec<Sink>,
    screen: Screen,
}

impl std::fmt::Debug for Reporters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporters")
            .field("sinks", &self.sinks.len())
            .finish_non_exhaustive()
    }
}

impl Reporters {
    /// The reporters that the command line asks for.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let out = Out::stdout(options.secrets.clone());
        let mut screen = Screen::default();
        let mut sinks: Vec<Sink> = Vec::new();
        match options.format {
            Format::Json => sinks.push(Box::new(Json::new(out))),
            Format::Auto if Out::is_terminal() && options.level > Level::Quiet => {
                let terminal = Terminal::new(out, options.level);
                screen = terminal.screen();
                sinks.push(Box::new(terminal));
            }
            Format::Auto | Format::Plain => sinks.push(Box::new(Plain::new(out, options.level))),
        }
        if let Some(state) = &options.state {
            sinks.push(Box::new(RunLog::new(state, options.secrets.clone())));
        }
        Self { sinks, screen }
    }

    /// Any reporters, for tests and for showing old runs.
    #[must_use]
    pub fn of(sinks: Vec<Box<dyn Reporter + Send>>) -> Self {
        Self {
            sinks,
            screen: Screen::default(),
        }
    }

    /// A handle to set live rows aside while something else uses the terminal, such as a question.
    #[must_use]
    pub fn screen(&self) -> Screen {
        self.screen.clone()
    }

    fn tell(&mut self, event: &Event) -> io::Result<()> {
        let mut result = Ok(());
        self.sinks.retain_mut(|sink| match sink.on_event(event) {
            Ok(()) => true,
            Err(error) => {
                result = Err(error);
                false
            }
        });
        result
    }
}

impl Reporter for Reporters {
    fn on_event(&mut self, event: &Event) -> io::Result<()> {
        let result = self.tell(event);
        if let Err(error) = &result {
            let text = format!("an output of this run cannot be written any more: {error}");
            let help = Some("make room or check its permissions; the run goes on".to_owned());
            let kind = EventKind::Warning { text, help };
            // Whoever fails on the warning as well is gone by then; nobody is left to tell.
            let _ = self.tell(&Event {
                v: SCHEMA,
                at_ms: event.at_ms,
                kind,
            });
        }
        result
    }
}
