//! An open watch: the events of one answer that has no end.

use std::{fmt, time::Duration};

use http_body_util::BodyExt;
use tokio::time::Instant;

use super::events::{Event, EventReader};
use crate::{
    http_error,
    not_ready::{Cause, NotReady},
    web::Answer,
};

/// After a watch that ends sooner, the API server is asked at the usual pace.
const SHORTEST: Duration = Duration::from_secs(1);

/// An open watch
pub(super) struct Watch {
    answer: Answer,
    events: EventReader,
    opened: Instant,
}

impl Watch {
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer, events: EventReader::default(), opened: Instant::now() }
    }

    /// The next event; `None` when the watch has ended, as it does every hour, or when the API server
    /// stops. Dropped while it waits, it has lost nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, NotReady> {
        loop {
            if let Some(event) = self.events.next()? {
                return Ok(Some(event));
            }
            match self.answer.response.body_mut().frame().await {
                Some(Ok(frame)) => self.events.push(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(error)) => {
                    let why = http_error::not_ready(&error).reason;
                    return Err(NotReady::new(Cause::Odd, format!("the watch of the API server breaks off: {why}")));
                }
                None if self.opened.elapsed() < SHORTEST => {
                    return Err(NotReady::new(Cause::Odd, "the API server ends the watch at once"));
                }
                None => return Ok(None),
            }
        }
    }
}

/// Not the answer, which may hold anything
impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Watch").field("opened", &self.opened).finish_non_exhaustive()
    }
}
