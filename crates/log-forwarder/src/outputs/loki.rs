//! `loki+http(s)://host`: a batch is a push of one stream. Few names make the stream; all else goes along as metadata.

mod labels;
pub(crate) mod late;
mod metadata;
mod push;

use futures_util::future::BoxFuture;
use hyper::{StatusCode, header::HeaderValue};

use self::{
    labels::Labels,
    push::{Clock, times, write_push},
};
use super::{
    Attempt, MOST_RECORDS, Opened, Output, Scheme, Setup,
    client::{self, Answer, Client},
    dial,
};
use crate::records::{batch::Batch, pool::Pool, timestamp};

const PORT: Option<u16> = Some(3100);
const PATH: &str = "/loki/api/v1/push";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Bytes of an answer that are read: Loki may name each record that is too old or too new.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// Bytes of an entry around the message
const OVERHEAD: usize = 200;
/// Loki's words about the time of an entry
const OF_TIME: [&str; 4] = ["too far behind", "timestamp too old", "timestamp too new", "out of order"];
/// Its words about labels or its settings, for which it refuses every line
const OF_SETTINGS: [&str; 8] = [
    "this feature is disallowed",
    "missing required labels",
    "at least one label pair",
    "label names; limit",
    "label name too long",
    "label value too long",
    "parsing labels",
    "parse labels",
];

/// Batches as pushes
pub(super) const HTTP: Scheme = Scheme {
    name: "loki+http",
    example: "loki+http://loki:3100",
    delivered: "once the answer is 200 or 204",
    options: &["label=NAME=VALUE", "labels=NAME,…"],
    shared: &[client::OPTIONS],
    open,
};

/// The same, over TLS
pub(super) const HTTPS: Scheme =
    Scheme { name: "loki+https", example: "loki+https://loki:3100", shared: &[client::OPTIONS, dial::TLS], ..HTTP };

fn open(setup: &mut Setup) -> Opened {
    let labels = Labels::from_options(&mut setup.options)?;
    let path = setup.url.path().trim_end_matches('/');
    let path = if path.ends_with(PATH) { path.to_owned() } else { format!("{path}{PATH}") };
    let mut client = Client::open(setup, PORT)?;
    client.answer_limit = ANSWER_LIMIT;
    Ok(Box::new(Loki { client, path, labels, pool: setup.pool.clone(), moved: None }))
}

struct Loki {
    client: Client,
    path: String,
    labels: Labels,
    pool: Pool,
    moved: Option<Moved>,
}

/// The time to which late records of one read are moved. Its parts and later attempts share the time, so that a record that comes twice
/// is stored once.
struct Moved {
    generation: u64,
    read_at: i64,
    to: i64,
}

impl Output for Loki {
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

impl Loki {
    /// Loki stores what it can of a push. Records that it refuses because of their times are pushed once more under the present time: the
    /// time of the read may be too old, too. Where the answer does not tell them apart, the batch is halved until one is alone.
    async fn send(&mut self, batch: &Batch) -> Result<Attempt, Attempt> {
        if batch.exceeds(MOST_RECORDS) {
            return Ok(Attempt::Refused("more records than fit into a request".into()));
        }
        let answer = self.push(batch, Clock::Record).await?;
        if !is_of_time(&answer) {
            return Ok(self.judge(&answer));
        }
        let late = if batch.exceeds(1) {
            late::refused(&String::from_utf8_lossy(&answer.body), &times(batch.spans())).filter(|_| answer.whole)
        } else {
            Some(vec![0])
        };
        let Some(late) = late.and_then(|late| batch.parted(&late).1) else { return Ok(answer.refused()) };
        let clock = Clock::Moved(self.moved_to(batch));
        let answer = self.push(&late, clock).await?;
        if is_of_time(&answer) {
            // One of the two clocks is wrong. The next attempt takes another time.
            self.moved = None;
            return Ok(answer.again());
        }
        Ok(self.judge(&answer))
    }

    fn moved_to(&mut self, batch: &Batch) -> i64 {
        let (generation, read_at) = batch.spans().first().map(|span| (span.key, span.time)).unwrap_or_default();
        match &self.moved {
            Some(moved) if (moved.generation, moved.read_at) == (generation, read_at) => moved.to,
            _ => self.moved.insert(Moved { generation, read_at, to: timestamp::now() }).to,
        }
    }

    async fn push(&mut self, batch: &Batch, clock: Clock) -> Result<Answer, Attempt> {
        let mut body = self.pool.empty(batch.length() * 2 + OVERHEAD);
        write_push(batch.spans(), &self.labels, clock, &mut body);
        self.client.post(&self.path, &JSON, &[], body).await
    }

    /// Any other success is none: Loki answers 260 where its settings make it drop lines.
    fn judge(&self, answer: &Answer) -> Attempt {
        match answer.status {
            StatusCode::OK | StatusCode::NO_CONTENT => Attempt::Delivered,
            StatusCode::BAD_REQUEST if speaks_of(answer, &OF_SETTINGS) => answer.again(),
            status if self.client.is_final(status) => answer.refused(),
            _ => answer.again(),
        }
    }
}

fn is_of_time(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_REQUEST && speaks_of(answer, &OF_TIME)
}

/// Of several faults in a push, the text may tell but one.
fn speaks_of(answer: &Answer, words: &[&str]) -> bool {
    let text = String::from_utf8_lossy(&answer.body);
    words.iter().any(|words| text.contains(words))
}
