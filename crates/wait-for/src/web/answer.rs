//! An answer over HTTP, and its body.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{
    Response,
    body::{Body, Incoming},
};
use tokio::{task::JoinSet, time};

use crate::{
    http_error,
    not_ready::{CUT, Cause, NotReady},
};

/// Bytes of a body that are read
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;
/// The unwanted rest of an answer is still read for this long, because leaving at once would be a
/// reset in the server's log.
const COURTESY: Duration = Duration::from_millis(100);

/// The task that drives a connection, which ends with what broke the connection
pub(super) type Driver = JoinSet<Option<hyper::Error>>;

/// An answer whose head is read; its connection ends with it
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    /// The login was not sent, because a redirect has led to another origin.
    pub(crate) lacks_login: bool,
    connection: Driver,
}

impl Answer {
    pub(crate) fn new(response: Response<Incoming>, connection: Driver) -> Self {
        Self { response, lacks_login: false, connection }
    }

    /// Ends the connection politely: the body read, as far as there is one, and the last words of
    /// TLS and HTTP/2 said.
    pub(crate) async fn leave(self) {
        let Self { response, mut connection, .. } = self;
        let end = async {
            let _ = read(&mut response.into_body(), BODY_LIMIT).await;
            while connection.join_next().await.is_some() {}
        };
        let _ = time::timeout(COURTESY, end).await;
    }
}

/// Reads at most `limit` bytes of a body. A body that is cut short proves nothing gone: its head
/// has arrived.
pub(crate) async fn read(body: &mut Incoming, limit: usize) -> Result<Vec<u8>, NotReady> {
    let announced = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let mut read = Vec::with_capacity(announced.unwrap_or_default().min(limit));
    while read.len() < limit && !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| match http_error::not_ready(&error) {
            refusal if refusal == NotReady::unanswered() => NotReady::new(Cause::Odd, CUT),
            refusal => NotReady { cause: Cause::Odd, ..refusal },
        })?;
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(&data[..data.len().min(limit - read.len())]);
        }
    }
    Ok(read)
}
