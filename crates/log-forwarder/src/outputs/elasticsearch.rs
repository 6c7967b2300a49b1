//! `elasticsearch+http(s)://host/index`: a batch is a bulk request, to Elasticsearch or OpenSearch.
//! Each document has a name of its own, so that one that comes twice is there once, and gets an
//! answer of its own.

mod documents;
mod names;
pub(crate) mod reply;

use futures_util::future::BoxFuture;
use hyper::{StatusCode, header::HeaderValue};
use url::Url;

use self::documents::write_documents;
use super::{
    Attempt, Opened, Output, Scheme, Setup,
    client::{self, Client},
    dial,
};
use crate::records::{batch::Batch, complete::MOST_LINES, pool::Pool};

const PORT: Option<u16> = Some(9200);
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
/// Bytes of a reply that are read: for a whole batch of refusals, each with a long reason
const REPLY_LIMIT: usize = 8 * 1024 * 1024;
/// Bytes of a document and its action around the message
const OVERHEAD: usize = 300;

/// Batches as bulk requests
pub(super) const HTTP: Scheme = Scheme {
    name: "elasticsearch+http",
    example: "elasticsearch+http://search/logs",
    delivered: "once its document is created, or exists already",
    options: &[],
    shared: &[client::OPTIONS],
    open,
};

/// The same, over TLS
pub(super) const HTTPS: Scheme = Scheme {
    name: "elasticsearch+https",
    example: "elasticsearch+https://search/logs",
    shared: &[client::OPTIONS, dial::TLS],
    ..HTTP
};

fn open(setup: &mut Setup) -> Opened {
    let path = bulk_path(setup.url)?;
    let mut client = Client::open(setup, PORT)?;
    client.answer_limit = REPLY_LIMIT;
    client.needs_body = true;
    Ok(Box::new(Elasticsearch { client, path, pool: setup.pool.clone() }))
}

/// `/index/_bulk`, behind what a proxy puts before it. A name that no index has would make every
/// document the wrong one.
fn bulk_path(url: &Url) -> Result<String, String> {
    let path = url.path().trim_end_matches('/');
    let index = path.rsplit('/').next().unwrap_or_default();
    if index.is_empty() {
        return Err("the index is missing: write its name, or that of a data stream, behind the host".into());
    }
    if index.starts_with(['_', '-', '+']) || index.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!(
            "{index:?} is no index: names are in lower case and begin with a letter, a digit or a dot"
        ));
    }
    let query = url.query().map(|query| format!("&{query}")).unwrap_or_default();
    Ok(format!("{path}/_bulk?{}{query}", reply::FILTER))
}

struct Elasticsearch {
    client: Client,
    path: String,
    pool: Pool,
}

impl Output for Elasticsearch {
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

impl Elasticsearch {
    async fn send(&mut self, batch: &Batch) -> Result<Attempt, Attempt> {
        if batch.exceeds(MOST_LINES) {
            return Ok(Attempt::Refused("more records than fit into a request".into()));
        }
        let mut body = self.pool.empty(batch.length() * 2 + OVERHEAD);
        let count = batch.spans().iter().map(|span| write_documents(span, &mut body)).sum();
        let answer = self.client.post(&self.path, &NDJSON, &[], body).await?;
        Ok(match answer.status {
            StatusCode::OK if answer.whole => reply::read(&answer.body, count, answer.retry_after),
            StatusCode::OK if answer.broken => Attempt::again("the reply broke off, or did not end within a minute"),
            // The reasons of refusals repeat the values of the documents, so half a batch has a
            // shorter reply. Documents that are there already count as delivered.
            StatusCode::OK => Attempt::Refused("the reply is longer than 8 MiB".into()),
            status if self.client.is_final(status) => answer.refused(),
            _ => answer.again(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_end_of_the_path() {
        let path = |text: &str| bulk_path(&text.parse().unwrap());
        let filter = reply::FILTER;
        assert_eq!(path("elasticsearch+http://search/logs"), Ok(format!("/logs/_bulk?{filter}")));
        let behind_proxy = path("elasticsearch+https://search:443/es/.ds-logs/?pipeline=x&routing=y");
        assert_eq!(behind_proxy, Ok(format!("/es/.ds-logs/_bulk?{filter}&pipeline=x&routing=y")));
        for (text, words) in [
            ("elasticsearch+http://search", "missing"),
            ("elasticsearch+http://search/", "missing"),
            ("elasticsearch+http://search/logs/_bulk", "no index"),
            ("elasticsearch+http://search/Logs", "lower case"),
        ] {
            assert!(path(text).unwrap_err().contains(words), "{text}");
        }
    }
}
