//! `http://host/path`: a batch is the body of a POST, as NDJSON or as it is; an answer of 2xx
//! delivers it.

use futures_util::future::BoxFuture;
use hyper::header::{HeaderName, HeaderValue};

use super::{
    Attempt, Opened, Output, Scheme, Setup,
    client::{self, Client},
    dial,
};
use crate::{
    outputs::encoding::{self, Encoding},
    records::{batch::Batch, pool::Pool},
};

/// Of a line as an object: what stands around the message
const OBJECT_OVERHEAD: usize = 160;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Batches as bodies of requests
pub(super) const HTTP: Scheme = Scheme {
    name: "http",
    example: "http://collector:8080/lines",
    delivered: "once the answer is 2xx",
    options: &[encoding::OPTION],
    shared: &[client::OPTIONS],
    open,
};

/// The same, over TLS
pub(super) const HTTPS: Scheme =
    Scheme { name: "https", example: "https://collector/lines", shared: &[client::OPTIONS, dial::TLS], ..HTTP };

fn open(setup: &mut Setup) -> Opened {
    let encoding = Encoding::from_options(&mut setup.options, Encoding::Ndjson)?;
    let client = Client::open(setup, None)?;
    let path = setup.url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
    Ok(Box::new(Http { client, path, encoding, pool: setup.pool.clone() }))
}

struct Http {
    client: Client,
    path: String,
    encoding: Encoding,
    pool: Pool,
}

impl Output for Http {
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

impl Http {
    async fn send(&mut self, batch: &Batch) -> Result<Attempt, Attempt> {
        let mut body = self.pool.empty(batch.length() * 2 + OBJECT_OVERHEAD);
        self.encoding.write(batch, &mut body);
        let kind = match self.encoding {
            Encoding::Ndjson => "application/x-ndjson",
            Encoding::Raw => "text/plain; charset=utf-8",
        };
        let key = HeaderValue::try_from(batch.name()).map_err(Attempt::again)?;
        let headers = [(IDEMPOTENCY_KEY, key)];
        let answer = self.client.post(&self.path, &HeaderValue::from_static(kind), &headers, body).await?;
        Ok(match answer.status {
            status if status.is_success() => Attempt::Delivered,
            status if self.client.is_final(status) => answer.refused(),
            _ => answer.again(),
        })
    }
}
