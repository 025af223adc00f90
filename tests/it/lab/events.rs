//! What `--json` told, as values.

use serde_json::Value;

/// The events of a run, in their order.
#[derive(Debug, Clone, Default)]
pub struct Events(pub Vec<Value>);

impl Events {
    /// One a line; whatever is no event fails the test, since nothing else may stand there.
    pub fn read(text: &str) -> Self {
        let read = |line: &str| {
            let value: Result<Value, _> = serde_json::from_str(line);
            value.unwrap_or_else(|e| panic!("not an event ({e}): {line}"))
        };
        Self(text.lines().map(read).collect())
    }

    /// Those of one name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |event| event["event"] == name)
    }

    /// How many there are of one name.
    pub fn count(&self, name: &str) -> usize {
        self.named(name).count()
    }

    /// The hosts of a wave's batches, in the order in which they began.
    pub fn order(&self, wave: &str) -> Vec<String> {
        self.named("batch-started")
            .filter(|event| event["wave"] == wave)
            .map(|event| event["host"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The run's sum.
    pub fn sum(&self) -> &Value {
        self.named("run-finished").last().unwrap_or(&Value::Null)
    }
}
