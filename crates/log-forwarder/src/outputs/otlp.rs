//! `otlp+http://host:4318`, `otlp+https://`: logs as OTLP/HTTP has them, in binary. A collector may
//! take a batch in part, and says how many records it refused, not which.

mod protobuf;
pub(crate) mod reply;
mod request;
mod value;

use futures_util::future::BoxFuture;
use hyper::header::HeaderValue;
use url::Position;

use super::{
    Attempt, Opened, Output, Scheme, Setup,
    client::{self, Client, api_path},
    dial,
};
use crate::records::{batch::Batch, pool::Pool};

const PORT: Option<u16> = Some(4318);
const PATH: &str = "/v1/logs";
const KIND: HeaderValue = HeaderValue::from_static("application/x-protobuf");
/// Bytes of a record around its message
const OVERHEAD: usize = 200;

/// Batches as export requests
pub(super) const HTTP: Scheme = Scheme {
    name: "otlp+http",
    example: "otlp+http://collector:4318",
    delivered: "once the answer is 2xx; records that it rejects are counted",
    options: &[],
    shared: &[client::OPTIONS],
    open,
};

/// The same, over TLS
pub(super) const HTTPS: Scheme = Scheme {
    name: "otlp+https",
    example: "otlp+https://collector:4318",
    shared: &[client::OPTIONS, dial::TLS],
    ..HTTP
};

fn open(setup: &mut Setup) -> Opened {
    let client = Client::open(setup, PORT)?;
    // As the output's label: no query, which may hold a token
    let name = setup.url[..Position::AfterPath].to_owned();
    Ok(Box::new(Otlp { client, path: api_path(setup.url, PATH), pool: setup.pool.clone(), name, has_warned: false }))
}

struct Otlp {
    client: Client,
    path: String,
    pool: Pool,
    /// Its URL, for the log
    name: String,
    /// Whether the log has the warning about answers that cannot be read
    has_warned: bool,
}

impl Output for Otlp {
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt> {
        Box::pin(async move {
            let attempt = self.send(batch).await.unwrap_or_else(|instead| instead);
            self.client.without_secrets(attempt)
        })
    }

    fn gathers(&self) -> bool {
        true
    }
}

impl Otlp {
    async fn send(&mut self, batch: &Batch) -> Result<Attempt, Attempt> {
        let mut body = self.pool.empty(batch.length() * 2 + OVERHEAD);
        batch.spans().iter().for_each(|span| request::write(span, &mut body));
        let answer = self.client.post(&self.path, &KIND, &[], body).await?;
        if answer.status.is_success() {
            // The missing part may say that records were rejected. But a server whose answers
            // always stall would get the batch without end.
            let judged = if answer.broken { None } else { reply::judge(&answer.body, &answer.content_type) };
            return Ok(judged.unwrap_or_else(|| self.take_at_its_word(answer.broken)));
        }
        let reason = match reply::reason(&answer.body) {
            Some(reason) => format!("{}: {reason}", answer.status),
            None => answer.reason(),
        };
        // Others than 429, 502, 503 and 504 are not to be tried again, says the protocol. But a
        // wrong token or path is not a fault of the lines.
        Ok(if self.client.is_final(answer.status) {
            Attempt::Refused(reason)
        } else {
            Attempt::Again { reason, after: answer.retry_after }
        })
    }

    /// Takes a 2xx with an unreadable body for what its status says: to send the batch again would
    /// deliver it twice, without end where every answer is like this one. Logs that once.
    fn take_at_its_word(&mut self, broken: bool) -> Attempt {
        if !std::mem::replace(&mut self.has_warned, true) {
            let fault = if broken { "breaks off, or does not end in time" } else { "is no ExportLogsServiceResponse" };
            let hint = "does the URL lead to an OTLP receiver?";
            tracing::warn!(output = self.name, "the answer is 2xx, but its body {fault}; {hint}");
        }
        Attempt::Delivered
    }
}
