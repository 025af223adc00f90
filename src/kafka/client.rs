//! Which broker a request goes to, over which connection, and when it is asked again.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::error::{Error, Result};
use super::metadata::Metadata;
use crate::transport::Dial;

/// How long one request may take, unless said otherwise.
const REQUEST: Duration = Duration::from_secs(10);
/// The pause between two looks at something that is waited for: at first, and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

type Kept = Arc<tokio::sync::Mutex<Option<Connection>>>;

#[derive(Default)]
struct State {
    brokers: BTreeMap<i32, Endpoint>,
    controller: Option<i32>,
    kept: BTreeMap<Endpoint, Kept>,
}

/// A cluster, reached through any of its brokers; one connection a broker is kept.
pub struct Client {
    dial: Arc<dyn Dial>,
    bootstrap: Vec<Endpoint>,
    limit: Duration,
    state: Mutex<State>,
}

impl Client {
    /// A client that starts from these brokers. Nothing is dialled before the first request.
    pub fn new(dial: Arc<dyn Dial>, bootstrap: Vec<Endpoint>) -> Self {
        Self {
            dial,
            bootstrap,
            limit: REQUEST,
            state: Mutex::default(),
        }
    }

    /// Gives every single request this much time instead of 10 s.
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How long one request may take.
    pub fn timeout(&self) -> Duration {
        self.limit
    }

    /// The brokers that this client starts from, as librdkafka and the upstream tools write them.
    pub fn bootstrap(&self) -> String {
        self.bootstrap
            .iter()
            .map(Endpoint::to_string)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// The whole cluster: brokers, controller, all topics.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn metadata(&self) -> Result<Metadata> {
        self.ask_metadata(None).await
    }

    /// Brokers, controller, and these topics only. A topic that is not there has its error set.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn metadata_of(&self, topics: &[&str]) -> Result<Metadata> {
        self.ask_metadata(Some(topics)).await
    }

    async fn ask_metadata(&self, topics: Option<&[&str]>) -> Result<Metadata> {
        let request = metadata_request(topics);
        let metadata = Metadata::from(self.send_any(&request).await?);
        self.learn(&metadata);
        Ok(metadata)
    }

    /// What one particular broker believes of these topics (or of all), asked of that very broker.
    ///
    /// # Errors
    /// When that broker is unknown or does not answer.
    pub async fn metadata_from(&self, broker: i32, topics: Option<&[&str]>) -> Result<Metadata> {
        Ok(self
            .send_to(broker, &metadata_request(topics))
            .await?
            .into())
    }

    /// Sends a request that any broker can answer, trying one after the other.
    ///
    /// # Errors
    /// When none answers, or the one that answers does not offer the request.
    pub async fn send_any<R: Request>(&self, request: &R) -> Result<R::Response> {
        let mut failures = Vec::new();
        for endpoint in self.candidates() {
            match self.send_at(&endpoint, request, i16::MAX).await {
                Err(e) if e.is_transport() => failures.push(e),
                done => return done,
            }
        }
        Err(Error::NoBroker(failures))
    }

    /// Sends a request to one broker.
    ///
    /// # Errors
    /// When the cluster does not know that broker, or it does not answer.
    pub async fn send_to<R: Request>(&self, broker: i32, request: &R) -> Result<R::Response> {
        self.send_to_capped(broker, request, i16::MAX).await
    }

    /// Like [`Client::send_to`], in no version above `cap`.
    ///
    /// # Errors
    /// As [`Client::send_to`].
    pub async fn send_to_capped<R: Request>(
        &self,
        broker: i32,
        request: &R,
        cap: i16,
    ) -> Result<R::Response> {
        let endpoint = match self.endpoint(broker) {
            Some(endpoint) => endpoint,
            None => {
                self.metadata_of(&[]).await?;
                self.endpoint(broker).ok_or(Error::UnknownBroker(broker))?
            }
        };
        let sent = self.send_at(&endpoint, request, cap).await;
        if matches!(&sent, Err(e) if e.is_transport()) {
            // It may come back at another address.
            self.state().brokers.remove(&broker);
        }
        sent
    }

    /// Sends to one listener. A kept connection that turns out to be dead is replaced once.
    pub(crate) async fn send_at<R: Request>(
        &self,
        at: &Endpoint,
        request: &R,
        cap: i16,
    ) -> Result<R::Response> {
        let kept = Arc::clone(self.state().kept.entry(at.clone()).or_default());
        let mut slot = kept.lock().await;
        if let Some(mut connection) = slot.take().filter(|c| !c.is_broken()) {
            match connection.send_capped(request, cap, self.limit).await {
                // Closed by the other side, most likely while idle. Every request made here may be sent
                // twice; at worst the second is refused since the first was done.
                Err(Error::Io { .. }) => {}
                done => {
                    *slot = Some(connection);
                    return done;
                }
            }
        }
        let mut fresh = Connection::open(&*self.dial, &at.host, at.port, self.limit).await?;
        let done = fresh.send_capped(request, cap, self.limit).await;
        *slot = Some(fresh);
        done
    }

    /// Looks again and again until `look` finds something or `limit` is over; then `what` says what is missing.
    pub(crate) async fn wait<T, F>(
        &self,
        limit: Duration,
        what: impl Fn() -> String,
        mut look: impl FnMut() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let start = Instant::now();
        let (mut pause, longest) = PAUSES;
        loop {
            let seen = look().await;
            let late = start.elapsed() >= limit;
            match seen {
                Ok(Some(found)) => return Ok(found),
                Err(e) if late || !e.is_passing() => return Err(e),
                Ok(None) if late => {
                    return Err(Error::NotYet {
                        what: what(),
                        after: limit,
                    });
                }
                Ok(None) | Err(_) => sleep(pause).await,
            }
            pause = longest.min(pause * 3 / 2);
        }
    }

    /// Whom to ask first: brokers with an open connection, then the bootstrap list, then the rest known.
    fn candidates(&self) -> Vec<Endpoint> {
        let state = self.state();
        let open = |e: &&Endpoint| {
            let slot = state.kept.get(*e).and_then(|k| k.try_lock().ok());
            slot.is_some_and(|s| s.as_ref().is_some_and(|c| !c.is_broken()))
        };
        let all = || self.bootstrap.iter().chain(state.brokers.values());
        let mut order: Vec<Endpoint> = Vec::new();
        for endpoint in all().filter(open).chain(all()) {
            if !order.contains(endpoint) {
                order.push(endpoint.clone());
            }
        }
        order
    }

    fn learn(&self, metadata: &Metadata) {
        let mut state = self.state();
        state.controller = metadata.controller;
        state.brokers = metadata
            .brokers
            .iter()
            .map(|b| (b.id, Endpoint::new(&b.host, b.port)))
            .collect();
    }

    fn endpoint(&self, broker: i32) -> Option<Endpoint> {
        self.state().brokers.get(&broker).cloned()
    }

    pub(crate) fn known_controller(&self) -> Option<i32> {
        self.state().controller
    }

    pub(crate) fn forget_controller(&self) {
        self.state().controller = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn metadata_request(topics: Option<&[&str]>) -> MetadataRequest {
    let topics = topics.map(|names| {
        let topic = |n: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(n)));
        names.iter().map(topic).collect()
    });
    MetadataRequest::default()
        .with_topics(topics)
        .with_allow_auto_topic_creation(false)
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(string(name))
}

pub(crate) fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
