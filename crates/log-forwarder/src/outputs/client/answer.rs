//! A server's answer, and its usual meaning.

use std::time::{Duration, SystemTime};

use http_body_util::BodyExt;
use hyper::{
    Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use tokio::time::{self, Instant};

use crate::outputs::Attempt;

/// An answer, read as far as its output wants to
pub(in crate::outputs) struct Answer {
    pub(in crate::outputs) status: StatusCode,
    pub(in crate::outputs) body: Bytes,
    /// Whether that is all of the body; what is too long or breaks off is not
    pub(in crate::outputs) whole: bool,
    /// Whether the body broke off, or did not come in time
    pub(in crate::outputs) broken: bool,
    /// `Content-Type` without its parameters, in lower case; empty if there is none
    pub(in crate::outputs) content_type: String,
    /// The pause that the server asks for
    pub(in crate::outputs) retry_after: Option<Duration>,
}

impl Answer {
    /// Reads at most `limit` bytes of the body, until this time.
    pub(super) async fn read(response: Response<Incoming>, limit: usize, until: Instant) -> Self {
        let (head, mut body) = response.into_parts();
        let (mut read, mut whole, mut broken) = (Vec::new(), false, false);
        while read.len() <= limit {
            let Ok(frame) = time::timeout_at(until, body.frame()).await else {
                broken = true;
                break;
            };
            // Nothing else shows the end of a body in chunks.
            whole = frame.is_none();
            broken = frame.as_ref().is_some_and(Result::is_err);
            let Some(Ok(frame)) = frame else { break };
            if let Some(data) = frame.data_ref() {
                read.extend_from_slice(&data[..data.len().min(limit + 1 - read.len())]);
            }
        }
        read.truncate(limit);
        let after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = after.and_then(|value| endpoint::retry_after(value, SystemTime::now()));
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Self { status: head.status, body: read.into(), whole, broken, content_type, retry_after }
    }

    /// `400 Bad Request: ` and the first words of the body
    pub(in crate::outputs) fn reason(&self) -> String {
        /// Bytes
        const FIRST: usize = 1024;
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(FIRST)]);
        let said = endpoint::one_line(text.lines().next().unwrap_or_default());
        if said.is_empty() { self.status.to_string() } else { format!("{}: {said}", self.status) }
    }

    /// The batch is to be sent again, at the time that the server asks for.
    pub(in crate::outputs) fn again(&self) -> Attempt {
        Attempt::Again { reason: self.reason(), after: self.retry_after }
    }

    /// The server does not take the batch as it is.
    pub(in crate::outputs) fn refused(&self) -> Attempt {
        Attempt::Refused(self.reason())
    }
}
