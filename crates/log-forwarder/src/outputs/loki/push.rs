//! The body of a push: one stream, and an entry for each record.

use std::borrow::Cow;

use super::labels::{Labels, Names, sanitised};
use crate::{
    format::record::{Field, Record, Value},
    outputs::encoding::{escape, write_text},
    records::{
        batch::{Batch, Mark},
        timestamp::{self, rfc3339},
    },
};

/// Which time an entry gets
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// The record's own, if it has one
    Record,
    /// That of the attempt, for what Loki finds too old; the record's own is metadata
    Now,
}

/// Names that an entry has in addition to those of its batch
const OURS: [&str; 4] = ["log_offset", "time", "cut", "unfinished"];
/// What Loki itself appends to a name that is taken
const TAKEN: &str = "_extracted";

/// Writes a push of all records.
pub(super) fn write_push(batch: &Batch, labels: &Labels, clock: Clock, out: &mut Vec<u8>) {
    let names = labels.of(batch);
    out.extend_from_slice(b"{\"streams\":[{\"stream\":{");
    write_pairs(&names.labels, out);
    out.extend_from_slice(b"},\"values\":[");
    let middle = middle(&names, batch.mark);
    let (mut stamps, mut number, mut first) = (Stamps::new(batch, clock), itoa::Buffer::new(), true);
    batch.records(|record| {
        out.extend_from_slice(if first { b"[\"" } else { b",[\"" });
        first = false;
        out.extend_from_slice(number.format(stamps.next(record)).as_bytes());
        out.extend_from_slice(b"\",\"");
        escape(&record.message, out);
        out.extend_from_slice(&middle);
        out.extend_from_slice(number.format(record.offset).as_bytes());
        out.push(b'"');
        if clock == Clock::Now {
            out.extend_from_slice(b",\"time\":\"");
            out.extend_from_slice(rfc3339(record.time).as_bytes());
            out.push(b'"');
        }
        write_fields(&record.fields, &names, out);
        out.extend_from_slice(b"}]");
    });
    out.extend_from_slice(b"]}]}");
}

/// What stands between the message and the offset of each entry
fn middle(names: &Names, mark: Mark) -> Vec<u8> {
    let mut middle = b"\",{".to_vec();
    write_pairs(&names.metadata, &mut middle);
    middle.extend_from_slice(match mark {
        Mark::Whole => b"",
        Mark::Cut => b",\"cut\":\"true\"".as_slice(),
        Mark::Unfinished => b",\"unfinished\":\"true\"",
    });
    // Not `offset`, because that is a word of LogQL, and no query could use it.
    middle.extend_from_slice(b",\"log_offset\":\"");
    middle
}

fn write_pairs(pairs: &[(String, String)], out: &mut Vec<u8>) {
    for (nth, (name, value)) in pairs.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write_text(value, out);
    }
}

/// Parsed fields as metadata, which knows nothing but text. Of two with one name the first one counts, and null is none.
fn write_fields(fields: &[Field], names: &Names, out: &mut Vec<u8>) {
    let mut written: Vec<Cow<str>> = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let text = match value {
            Value::Text(text) | Value::Json(text) => text,
        };
        let is_nothing = text.is_empty() || matches!(value, Value::Json(json) if json == "null");
        let mut name = sanitised(name);
        if OURS.contains(&&*name) || names.has(&name) {
            name = (name.into_owned() + TAKEN).into();
        }
        if is_nothing || written.contains(&name) {
            continue;
        }
        out.push(b',');
        write_text(&name, out);
        out.push(b':');
        write_text(text, out);
        written.push(name);
    }
}

/// Nanoseconds up to which times are moved by the file that they are of
const MOVE: i64 = 1_000_000;

/// The times of entries. Loki drops a line that has the text and the time of another in its stream, so no two records of a file
/// get the same: the digits that a time leaves open are filled from the offset, which a second attempt does alike. Other pods in
/// the stream may write the same at the same offset, so each generation has a move of its own.
struct Stamps {
    generation: u64,
    now: Option<i64>,
    read: i64,
    read_from: u64,
    /// What the times of these records are multiples of, as far as they have been seen
    step: i64,
}

impl Stamps {
    fn new(batch: &Batch, clock: Clock) -> Self {
        let now = (clock == Clock::Now).then(timestamp::now);
        // Its name is a hash.
        let generation = u64::from_str_radix(&batch.source.generation, 16).unwrap_or_default();
        Self { generation, now, read: batch.time, read_from: batch.read_from, step: 1_000_000_000 }
    }

    fn next(&mut self, record: &Record) -> i64 {
        let of_the_batch = self.now.or_else(|| (record.time == self.read).then_some(self.read));
        if let Some(time) = of_the_batch {
            return time.saturating_add_unsigned(record.offset.saturating_sub(self.read_from));
        }
        while record.time % self.step != 0 {
            self.step /= 1000;
        }
        let moved = self.generation % (self.step / 2).clamp(1, MOVE).unsigned_abs();
        record.time.saturating_add_unsigned((record.offset + moved) % self.step.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use endpoint::Options;
    use serde_json::json;

    use super::*;
    use crate::records::batch::{of, with_attributes};

    fn push(batch: &Batch) -> serde_json::Value {
        push_at(batch, Clock::Record)
    }

    fn push_at(batch: &Batch, clock: Clock) -> serde_json::Value {
        let mut out = Vec::new();
        let labels = Labels::from_options(&mut Options::default()).unwrap();
        write_push(batch, &labels, clock, &mut out);
        serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
    }

    fn times(push: &serde_json::Value) -> Vec<i64> {
        let values = push["streams"][0]["values"].as_array().unwrap();
        values.iter().map(|entry| entry[0].as_str().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn a_push_is_one_stream_with_an_entry_for_each_record() {
        let batch = with_attributes(of(b"one\n\"two\"\n", Mark::Whole), &[("k8s.namespace.name", "shop")]);
        let push = push(&batch);
        let stream = &push["streams"][0];
        assert_eq!(stream["stream"], json!({"job": "log-forwarder", "namespace": "shop"}));
        let metadata = json!({"filename": "/logs/app.log", "generation": "0123456789abcdef", "log_offset": "4"});
        assert_eq!(stream["values"][1], json!([(batch.time + 4).to_string(), "\"two\"", metadata]));
        assert_eq!(times(&push), [batch.time, batch.time + 4]);
    }

    #[test]
    fn halves_have_the_times_of_the_whole() {
        let batch = of(b"one\none\none\none\none\n", Mark::Whole);
        let (first, second) = batch.halves().unwrap();
        let halves = [times(&push(&first)), times(&push(&second))].concat();
        assert_eq!(halves, times(&push(&batch)));
        assert_eq!(times(&push(&batch.select(&[1, 3]))), [batch.time + 4, batch.time + 12]);
    }

    #[test]
    fn marks_are_metadata() {
        assert_eq!(push(&of(b"on", Mark::Cut))["streams"][0]["values"][0][2]["cut"], "true");
        assert_eq!(push(&of(b"on", Mark::Unfinished))["streams"][0]["values"][0][2]["unfinished"], "true");
    }

    #[test]
    fn what_is_too_old_keeps_its_time_as_metadata() {
        let batch = of(b"one\n", Mark::Whole);
        let push = push_at(&batch, Clock::Now);
        assert_eq!(push["streams"][0]["values"][0][2]["time"], rfc3339(batch.time));
        assert!(times(&push)[0] >= batch.time);
    }

    fn stamp(stamps: &mut Stamps, offset: u64, time: i64) -> i64 {
        stamps.next(&Record { offset, time, message: "".into(), fields: Vec::new() })
    }

    #[test]
    fn equal_times_are_made_distinct_within_their_own_resolution() {
        let second = 1_700_000_000_000_000_000;
        let mut stamps = Stamps { generation: 0, now: None, read: 7, read_from: 100, step: 1_000_000_000 };
        assert_eq!(stamp(&mut stamps, 123_456, second), second + 123_456);
        assert_eq!(stamp(&mut stamps, 123_460, second), second + 123_460);
        assert_eq!(stamp(&mut stamps, 1_234_567, second + 5_000_000), second + 5_234_567);
        // A whole second among milliseconds is one of them.
        assert_eq!(stamp(&mut stamps, 7_000_008, second), second + 8);
        assert_eq!(stamp(&mut stamps, 7_000_009, second + 1), second + 1);
        assert_eq!(stamp(&mut stamps, 130, 7), 37);
        for generation in [1, 2] {
            let mut other = Stamps { generation, now: None, read: 7, read_from: 0, step: 1_000_000_000 };
            assert_eq!(stamp(&mut other, 100, second), second + 100 + generation.cast_signed());
        }
        stamps.now = Some(9);
        assert_eq!((stamp(&mut stamps, 150, second), stamp(&mut stamps, 151, 7)), (59, 60));
    }

    #[test]
    fn fields_are_text_and_collide_with_nothing() {
        let text = |text: &'static str| Value::Text(text.into());
        let fields = [
            ("status".into(), Value::Json("200".into())),
            ("a.b".into(), text("1")),
            ("a_b".into(), text("2")),
            ("none".into(), Value::Json("null".into())),
            ("log_offset".into(), text("mine")),
            ("filename".into(), text("mine too")),
            ("level".into(), text("warn")),
            ("deep".into(), Value::Json("{\"x\":1}".into())),
        ];
        let labels = Labels::from_options(&mut Options::default()).unwrap();
        let mut out = b"{\"log_offset\":\"0\"".to_vec();
        write_fields(&fields, &labels.of(&of(b"one\n", Mark::Whole)), &mut out);
        out.push(b'}');
        let expected = json!({"log_offset": "0", "status": "200", "a_b": "1", "log_offset_extracted": "mine",
            "filename_extracted": "mine too", "level": "warn", "deep": "{\"x\":1}"});
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), expected);
    }
}
