//! The reply to a bulk request: an answer for each document, in their order.

use std::{borrow::Cow, fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::outputs::Attempt;

/// The parts of a reply that are asked for, because whole replies of success are longer than most
/// lines
pub(super) const FILTER: &str =
    "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason";
/// Characters of a reason that are kept
const REASON_LIMIT: usize = 300;
/// Faults of the index or of the login that come as the fault of each document. The lines are
/// right.
const NOT_OF_THE_DOCUMENT: [&str; 8] = [
    "alias_not_found_exception",
    "cluster_block_exception",
    "index_closed_exception",
    "index_create_block_exception",
    "index_not_found_exception",
    "invalid_index_name_exception",
    "security_exception",
    // Too many shards, for a new index
    "validation_exception",
];

/// The meaning of the reply to this number of documents. One that cannot be read delivers nothing:
/// documents that exist will be conflicts at the next attempt.
pub(super) fn read(reply: &[u8], count: usize, after: Option<Duration>) -> Attempt {
    if all_are_created(reply, count) {
        return Attempt::Delivered;
    }
    let mut answers = Answers { limit: count, ..Answers::default() };
    let mut json = serde_json::Deserializer::from_slice(reply);
    let read = answers.deserialize(&mut json).and_then(|()| json.end());
    match read {
        // The error may repeat any text of the reply, and that has up to 8 MiB.
        Err(error) => {
            let error = shortened(&error.to_string());
            Attempt::again(format!("the reply is none to a bulk request: {error}"))
        }
        Ok(()) if answers.seen < count => {
            Attempt::again(format!("the reply has {} answers to {count} documents", answers.seen))
        }
        Ok(()) if answers.refused.is_empty() && answers.again.is_empty() => Attempt::Delivered,
        Ok(()) => {
            let Answers { refused, again, reason, .. } = answers;
            Attempt::Mixed { refused, again, reason, after }
        }
    }
}

/// The usual reply, as both kinds of server write it, compared without reading it: that would cost
/// as much as the request.
fn all_are_created(reply: &[u8], count: usize) -> bool {
    const CREATED: &[u8] = br#"{"create":{"status":201}},"#;
    let items = reply.strip_prefix(br#"{"errors":false,"items":["#).and_then(|rest| rest.strip_suffix(b"]}"));
    items.is_some_and(|items| {
        let (mut answers, last) = (items.chunks_exact(CREATED.len()), &CREATED[..CREATED.len() - 1]);
        items.len() + 1 == count * CREATED.len()
            && answers.by_ref().all(|answer| answer == CREATED)
            && answers.remainder() == last
    })
}

/// The answers that were read
#[derive(Default)]
struct Answers {
    /// More than these are no reply to what was sent.
    limit: usize,
    seen: usize,
    refused: Vec<(usize, String)>,
    again: Vec<usize>,
    /// Of the first that shall go again
    reason: String,
}

impl Answers {
    fn take(&mut self, outcome: &Outcome) {
        let number = self.seen;
        self.seen += 1;
        let kind = outcome.error.as_ref().map_or("", |error| &*error.kind);
        match outcome.status {
            // By this name, it is there already.
            200..=299 | 409 => {}
            status @ 400..=499 if ![401, 403, 404, 429].contains(&status) && !outcome.is_of_the_index(kind) => {
                self.refused.push((number, outcome.to_string()));
            }
            _ => {
                if self.again.is_empty() {
                    self.reason = outcome.to_string();
                }
                self.again.push(number);
            }
        }
    }
}

/// One answer
#[derive(Deserialize)]
struct Outcome<'a> {
    status: u16,
    #[serde(borrow, default)]
    error: Option<Fault<'a>>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    reason: Option<String>,
    /// The reason behind "failed to parse"
    #[serde(default)]
    caused_by: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(default)]
    reason: Option<String>,
}

impl Outcome<'_> {
    fn is_of_the_index(&self, kind: &str) -> bool {
        let reason = self.error.as_ref().and_then(|error| error.reason.as_deref()).unwrap_or_default();
        let is_setting = reason.starts_with("no write index is defined") || reason.starts_with("pipeline with id [");
        NOT_OF_THE_DOCUMENT.contains(&kind) || kind == "illegal_argument_exception" && is_setting
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.status)?;
        let Some(error) = &self.error else { return Ok(()) };
        write!(f, " {}", shortened(&error.kind))?;
        let cause = error.caused_by.as_ref().and_then(|cause| cause.reason.as_deref());
        [error.reason.as_deref(), cause].iter().flatten().try_for_each(|reason| write!(f, ": {}", shortened(reason)))
    }
}

/// Its first characters, on one line
fn shortened(text: &str) -> String {
    text.chars().take(REASON_LIMIT).map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// The whole reply: an object whose `items` are the answers
impl<'de> DeserializeSeed<'de> for &mut Answers {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Answers {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with items")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<str>>()? {
            if key == "items" {
                map.next_value_seed(Items(self))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Items<'a>(&'a mut Answers);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an answer for each document")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Item(outcome)) = items.next_element()? {
            if self.0.seen == self.0.limit {
                return Err(A::Error::custom(format!("more than {} answers", self.0.limit)));
            }
            self.0.take(&outcome);
        }
        Ok(())
    }
}

/// `{"create":{"status":201}}`: an object of one entry, whose key is the action
struct Item<'a>(Outcome<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneEntry)
    }
}

struct OneEntry;

impl<'de> Visitor<'de> for OneEntry {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with one action")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item<'de>, A::Error> {
        let (_, outcome) = map.next_entry::<IgnoredAny, _>()?.ok_or_else(|| A::Error::custom("an empty answer"))?;
        match map.next_key::<IgnoredAny>()? {
            None => Ok(Item(outcome)),
            Some(_) => Err(A::Error::custom("an answer of two actions")),
        }
    }
}

/// Reads a reply, and panics unless each document has one fate at most, and none beyond those that
/// were sent.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_sound(reply: &[u8], count: usize) {
    let Attempt::Mixed { refused, again, .. } = read(reply, count, None) else { return };
    let refused: Vec<_> = refused.into_iter().map(|(number, _)| number).collect();
    assert!(!(refused.is_empty() && again.is_empty()));
    for numbers in [&refused, &again] {
        assert!(numbers.is_sorted() && numbers.iter().all(|number| *number < count));
    }
    assert!(refused.iter().all(|number| !again.contains(number)));
}

#[cfg(test)]
mod tests;
