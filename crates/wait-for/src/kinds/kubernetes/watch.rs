//! An open watch: the events of one answer, which the API server ends after a minute.

use std::{fmt, time::Duration};

use futures_util::FutureExt;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::events::{Event, EventReader};
use crate::web::Answer;

/// The API server ends the watch after this many seconds. Without an end, a quiet watch looks the
/// same as a lost connection.
pub(super) const SECONDS: u64 = 60;
/// A watch that is still open after this time has lost its connection.
const LONGEST: Duration = Duration::from_secs(SECONDS + 10);
/// The connection ends by a reset or by a close, depending on timing.
const BREAKS_OFF: &str = "the watch of the API server breaks off";
/// A watch that ends sooner has failed.
const SHORTEST: Duration = Duration::from_secs(1);

/// An open watch
pub(super) struct Watch {
    answer: Answer,
    events: EventReader,
    pub(super) opened: Instant,
    /// The last time at which it was certainly open
    open_at: Instant,
    /// It has brought an event
    pub(super) has_brought: bool,
}

impl Watch {
    pub(super) fn new(answer: Answer) -> Self {
        let now = Instant::now();
        Self { answer, events: EventReader::default(), opened: now, open_at: now, has_brought: false }
    }

    /// The next event; `None` when the watch has ended, or should have; otherwise the fault of the
    /// watch. Cancel-safe: a dropped call loses no bytes.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, &'static str> {
        loop {
            match self.events.next() {
                Ok(Some(event)) => {
                    self.has_brought = true;
                    return Ok(Some(event));
                }
                Ok(None) => {}
                Err(words) => return Ok(Some(Event::Nonsense(words))),
            }
            // An end that is there already may have come long ago, in a pause between attempts.
            let mut frame = self.answer.response.body_mut().frame();
            let arrived = if let Some(arrived) = (&mut frame).now_or_never() {
                Ok(arrived)
            } else {
                self.open_at = Instant::now();
                let arrived = timeout_at(self.opened + LONGEST, frame).await;
                self.open_at = Instant::now();
                arrived
            };
            match arrived {
                Ok(Some(Ok(frame))) => self.events.push(frame.data_ref().map_or(&[], |data| data)),
                Ok(Some(Err(_))) => return Err(BREAKS_OFF),
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }

    pub(super) fn has_lasted(&self) -> bool {
        self.open_at - self.opened >= SHORTEST
    }

    /// Whether it has lasted for all the time that it was asked for.
    pub(super) fn is_whole(&self) -> bool {
        self.open_at - self.opened >= Duration::from_secs(SECONDS - 1)
    }
}

/// Not the answer, which may hold anything
impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Watch").field("opened", &self.opened).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::{Request, body::Bytes, client::conn::http1};
    use hyper_util::rt::TokioIo;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        task::JoinSet,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_watch_whose_way_is_gone_ends_a_while_after_it_should_have() {
        let (ours, mut theirs) = duplex(1024);
        let (mut sender, driver) = http1::handshake(TokioIo::new(ours)).await.unwrap();
        let mut connection = JoinSet::new();
        connection.spawn(async { driver.await.err() });
        let response = sender.send_request(Request::new(Full::<Bytes>::default()));
        let answer = async {
            theirs.read_u8().await.unwrap();
            theirs.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
        };
        let response = tokio::join!(response, answer).0.unwrap();
        let mut watch = Watch::new(Answer::new(response, connection));
        assert!(matches!(watch.next().await, Ok(None)) && watch.has_lasted());
        assert_eq!(watch.opened.elapsed().as_secs(), LONGEST.as_secs());
    }
}
