//! Requests that only the controller answers, through changes of the controller.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::Request;
use tokio::time::{Instant, sleep};

use super::client::Client;
use super::error::{Error, Result};

/// A controller that died is replaced after its session has run out: 18 s by default, with some to spare.
const FAILOVER: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Client {
    /// Sends a request to the controller, asking anew who that is when it has moved or died.
    ///
    /// `judge` turns the answer into what the caller wants; when all it refuses is NOT_CONTROLLER, the
    /// request goes to the next controller.
    pub(crate) async fn send_controller<R: Request, T>(
        &self,
        request: &R,
        cap: i16,
        judge: impl Fn(R::Response) -> Result<T>,
    ) -> Result<T> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.controller().await? {
                Some(id) => match self.send_to_capped(id, request, cap).await.and_then(&judge) {
                    Err(e) if moved(&e) => e,
                    done => return done,
                },
                None => Error::NoController(FAILOVER),
            };
            if start.elapsed() >= FAILOVER {
                return Err(failure);
            }
            self.forget_controller();
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn controller(&self) -> Result<Option<i32>> {
        match self.known_controller() {
            Some(id) => Ok(Some(id)),
            None => Ok(self.metadata_of(&[]).await?.controller),
        }
    }
}

/// Whether another broker may say yes. A time-out is not among these, since the change may be under way, but for
/// that of the question which comes before it: a host that is off takes connections through a forward, and is silent.
fn moved(error: &Error) -> bool {
    match error {
        Error::Dial { .. } | Error::Io { .. } | Error::UnknownBroker(_) => true,
        Error::Timeout { api, .. } => *api == "ApiVersions",
        refused => refused.all_refused_with(&[ResponseError::NotController]),
    }
}
