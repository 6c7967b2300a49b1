//! `loki+http(s)://host`: a batch is a push of one stream. Few names make the stream; all else goes
//! along as metadata.

mod labels;
pub(crate) mod late;
mod metadata;
mod push;

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use hyper::{StatusCode, header::HeaderValue};

use self::{
    labels::Labels,
    late::{Late, is_of_distributor},
    push::{Clock, Place, Times, places, write_push},
};
use super::{
    Attempt, Opened, Output, Scheme, Setup,
    client::{self, Answer, Client, api_path},
    dial,
};
use crate::records::{batch::Batch, complete::MOST_LINES, pool::Pool, span::Source, timestamp};

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
    let path = api_path(setup.url, PATH);
    let mut client = Client::open(setup, PORT)?;
    client.answer_limit = ANSWER_LIMIT;
    Ok(Box::new(Loki { client, path, labels, pool: setup.pool.clone(), whole: None }))
}

struct Loki {
    client: Client,
    path: String,
    labels: Labels,
    pool: Pool,
    /// The last batch of which records were refused because of their times
    whole: Option<Whole>,
}

/// A batch as it was gathered. Its parts and later attempts share this.
struct Whole {
    /// The generation of each span, and when it was read
    spans: HashSet<(u64, i64)>,
    /// The present time of the first push: a record that is moved to it twice is stored once.
    present: i64,
    /// The times that the records had in the first push
    times: Times,
    /// The records that the ingester has judged: it has stored a record, or has refused it, and
    /// then the record is moved. When the ingester finds one of them too far behind in a later
    /// push, the record is stored already, and a newer one of the same batch has come since.
    judged: HashSet<Place>,
}

impl Whole {
    /// The newest time of the records that are not among these
    fn newest_beside(&self, late: &Batch) -> Option<i64> {
        let late: HashSet<_> = places(late.spans(), None).into_iter().map(|(place, _)| place).collect();
        self.times.iter().filter(|(place, _)| !late.contains(place)).map(|(_, time)| *time).max()
    }
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

    /// Of several streams in a push, Loki reports only the fault of the last one, and drops late
    /// lines of the others without a word.
    fn joins(&self, first: &Source, next: &Source) -> bool {
        self.labels.are_the_same(first, next)
    }
}

impl Loki {
    /// Loki stores the valid records of a push. Records that it refuses because of their times are
    /// pushed once more under another time. Where the answer does not tell them apart, the batch is
    /// halved until one is alone.
    async fn send(&mut self, batch: &Batch) -> Result<Attempt, Attempt> {
        if batch.exceeds(MOST_LINES) {
            return Ok(Attempt::Refused("more records than fit into a request".into()));
        }
        // The options may have changed since it was gathered.
        if batch.spans().windows(2).any(|pair| !self.labels.are_the_same(&pair[0].source, &pair[1].source)) {
            return Ok(Attempt::Refused("records of several streams".into()));
        }
        let answer = self.push(batch, None).await?;
        if answer.status != StatusCode::BAD_REQUEST || speaks_of(&answer, &OF_SETTINGS) {
            return Ok(self.judge(&answer));
        }
        let text = String::from_utf8_lossy(&answer.body);
        let (places, times): (Vec<_>, Vec<_>) = places(batch.spans(), self.known(batch)).into_iter().unzip();
        let late = if answer.whole { Late::read(&text, &times) } else { None };
        let whole = self.whole_of(batch);
        whole.times.extend(places.iter().copied().zip(times));
        let is_judged = places.iter().all(|place| whole.judged.contains(place));
        match late {
            Some(Late::Behind { are_all, .. }) if is_judged => {
                Ok(if are_all { Attempt::Delivered } else { answer.refused() })
            }
            Some(Late::Behind { numbers, are_all: true, .. }) => {
                let attempt = self.push_moved(batch, &numbers).await;
                if attempt == Attempt::Delivered {
                    self.whole_of(batch).judged.extend(places);
                }
                Ok(attempt.only_for(&numbers))
            }
            Some(Late::Behind { numbers, is_only, .. }) => {
                let attempt = self.push_moved(batch, &numbers).await;
                if attempt != Attempt::Delivered {
                    return Ok(attempt);
                }
                if is_only {
                    self.whole_of(batch).judged.extend(places);
                }
                // The distributor's answer about the others is hidden: they are pushed again.
                Ok(answer.refused())
            }
            Some(Late::OutOfRange(numbers)) => {
                whole.judged.extend(places);
                Ok(self.push_moved(batch, &numbers).await.only_for(&numbers))
            }
            None => {
                if answer.whole && is_of_distributor(&text) {
                    whole.judged.extend(places);
                }
                Ok(match (speaks_of(&answer, &OF_TIME), batch.exceeds(1)) {
                    (true, true) => answer.refused(),
                    (true, false) => self.push_moved(batch, &[0]).await,
                    (false, _) => self.judge(&answer),
                })
            }
        }
    }

    /// Pushes these records of a batch under the time of the newest other record, because under
    /// the present time they would make the next records of an old file too far behind. Where Loki
    /// refuses that time, and where there is no other record, they get the present time.
    async fn push_moved(&mut self, batch: &Batch, numbers: &[usize]) -> Attempt {
        let Some(late) = batch.parted(numbers).1 else { return Attempt::Delivered };
        let whole = self.whole_of(batch);
        let (newest, present) = (whole.newest_beside(&late), whole.present);
        if let Some(time) = newest {
            match self.push(&late, Some(time)).await {
                Err(instead) => return instead,
                Ok(answer) if is_of_time(&answer) => {}
                Ok(answer) => return self.judge(&answer),
            }
        }
        match self.push(&late, Some(present)).await {
            Err(instead) => instead,
            Ok(answer) if is_of_time(&answer) => {
                // One of the two clocks is wrong. The next attempt takes another time.
                self.whole = None;
                answer.again()
            }
            Ok(answer) => self.judge(&answer),
        }
    }

    /// The batch of which this one is a part
    fn whole_of(&mut self, batch: &Batch) -> &mut Whole {
        let spans: HashSet<_> = batch.spans().iter().map(|span| (span.key, span.time)).collect();
        let same = self.whole.take().filter(|whole| spans.is_subset(&whole.spans));
        let new = || Whole { spans, present: timestamp::now(), times: Times::new(), judged: HashSet::new() };
        self.whole.insert(same.unwrap_or_else(new))
    }

    /// The times that the records of a batch had in the first push that was refused
    fn known(&self, batch: &Batch) -> Option<&Times> {
        let whole = self.whole.as_ref()?;
        let is_of_it = batch.spans().iter().all(|span| whole.spans.contains(&(span.key, span.time)));
        is_of_it.then_some(&whole.times)
    }

    /// Pushes a batch, under another time if there is one.
    async fn push(&mut self, batch: &Batch, moved_to: Option<i64>) -> Result<Answer, Attempt> {
        let clock = moved_to.map_or_else(|| Clock::Record(self.known(batch)), Clock::Moved);
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

/// Whether an answer refuses records because of their times
fn is_of_time(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_REQUEST && speaks_of(answer, &OF_TIME)
}

/// Of several faults in a push, the text may tell but one.
fn speaks_of(answer: &Answer, words: &[&str]) -> bool {
    let text = String::from_utf8_lossy(&answer.body);
    words.iter().any(|words| text.contains(words))
}
