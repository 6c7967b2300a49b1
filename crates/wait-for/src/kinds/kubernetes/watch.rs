//! An open watch: the events of one answer, which the API server ends after a minute.

use std::{fmt, time::Duration};

use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::events::{Event, EventReader};
use crate::web::Answer;

/// The API server is asked to end the watch after so many seconds, because nothing else tells a
/// quiet watch from one whose server or way is gone. A new one begins where it ended.
pub(super) const SECONDS: &str = "60";
/// Without an end after this time, the way is gone.
const LONGEST: Duration = Duration::from_secs(70);

/// The words about a watch whose connection is lost. How, depends on the moment: by a reset, or by
/// an end.
const BREAKS_OFF: &str = "the watch of the API server breaks off";
/// A watch that ends sooner has failed.
const SHORTEST: Duration = Duration::from_secs(1);

/// An open watch
pub(super) struct Watch {
    answer: Answer,
    events: EventReader,
    pub(super) opened: Instant,
}

impl Watch {
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer, events: EventReader::default(), opened: Instant::now() }
    }

    /// The next event; `None` when the watch has ended, or should have; otherwise what is wrong
    /// with it. Dropped while it waits, it has lost nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, &'static str> {
        loop {
            match self.events.next() {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {}
                Err(words) => return Ok(Some(Event::Nonsense(words))),
            }
            let frame = self.answer.response.body_mut().frame();
            match timeout_at(self.opened + LONGEST, frame).await {
                Ok(Some(Ok(frame))) => self.events.push(frame.data_ref().map_or(&[], |data| data)),
                Ok(Some(Err(_))) => return Err(BREAKS_OFF),
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }

    pub(super) fn has_lasted(&self) -> bool {
        self.opened.elapsed() >= SHORTEST
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
