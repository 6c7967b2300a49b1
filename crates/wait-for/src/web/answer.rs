//! An answer over HTTP, and its body.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Response,
    body::{Body, Incoming},
    header::{HeaderValue, PROXY_AUTHORIZATION},
};
use tokio::{task::JoinSet, time};

use super::redirect::Detour;
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
    /// Where redirects have led, if they have
    pub(crate) detour: Option<Detour>,
    /// The login at a proxy that has answered
    pub(super) proxy_login: Option<HeaderValue>,
    /// The body has not ended in time.
    pub(crate) is_late: bool,
    connection: Driver,
}

impl Answer {
    pub(crate) fn new(response: Response<Incoming>, connection: Driver) -> Self {
        Self { response, detour: None, proxy_login: None, is_late: false, connection }
    }

    /// A refusal with the name of the place to which redirects have led
    pub(crate) fn placed(&self, refusal: NotReady) -> NotReady {
        match &self.detour {
            Some(detour) => detour.placed(refusal),
            None => refusal,
        }
    }

    /// The same for other words
    pub(crate) fn named(&self, words: &str) -> String {
        self.detour.as_ref().map_or_else(|| words.to_owned(), |detour| detour.named(words))
    }

    /// All logins that the answer may repeat
    pub(crate) fn logins(&self, login: &HeaderMap) -> HeaderMap {
        let to_proxy = self.proxy_login.iter().map(|value| (PROXY_AUTHORIZATION, value.clone()));
        let mut logins = login.clone();
        logins.extend(to_proxy);
        logins
    }

    /// Reads at most `limit` bytes of the body, and of a body that does not end in time what has
    /// arrived.
    pub(crate) async fn body(&mut self, limit: usize, time: Duration) -> Result<Vec<u8>, NotReady> {
        let mut arrived = Vec::new();
        match time::timeout(time, read_to(&mut arrived, self.response.body_mut(), limit)).await {
            Ok(read) => read?,
            Err(_) => self.is_late = true,
        }
        Ok(arrived)
    }

    /// Ends the connection politely: the body read, as far as there is one, and the last words of
    /// TLS and HTTP/2 said.
    pub(crate) async fn leave(self) {
        let Self { response, mut connection, is_late, .. } = self;
        if is_late {
            return;
        }
        let end = async {
            let _ = read(&mut response.into_body(), BODY_LIMIT).await;
            while connection.join_next().await.is_some() {}
        };
        let _ = time::timeout(COURTESY, end).await;
    }
}

/// Reads at most `limit` bytes of a body.
pub(crate) async fn read(body: &mut Incoming, limit: usize) -> Result<Vec<u8>, NotReady> {
    let mut read = Vec::new();
    read_to(&mut read, body, limit).await?;
    Ok(read)
}

async fn read_to(read: &mut Vec<u8>, body: &mut Incoming, limit: usize) -> Result<(), NotReady> {
    let announced = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    read.reserve(announced.unwrap_or_default().min(limit));
    while read.len() < limit && !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| broken_body(&error))?;
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(&data[..data.len().min(limit - read.len())]);
        }
    }
    Ok(())
}

/// What went wrong with a body. Its head has arrived, so this proves nothing gone.
pub(crate) fn broken_body(error: &hyper::Error) -> NotReady {
    match http_error::not_ready(error) {
        refusal if refusal == NotReady::unanswered() => NotReady::new(Cause::Odd, CUT),
        refusal => NotReady { cause: Cause::Odd, ..refusal },
    }
}
