//! The body of a push: one stream, and an entry for each record.

use std::collections::HashMap;

use super::{
    labels::{Labels, Names},
    metadata::{Room, write_fields, write_pairs},
};
use crate::{
    format::record::Record,
    outputs::encoding::escape,
    records::{
        span::{Mark, Span},
        timestamp::rfc3339,
    },
};

/// Which time an entry gets
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock<'a> {
    /// The record's own, if it has one; in a part of a batch, that of the whole batch
    Record(Option<&'a Times>),
    /// This one, for records that Loki finds too old or too new; the record's own is metadata
    Moved(i64),
}

/// A generation, and an offset in it
pub(super) type Place = (u64, u64);
/// The times that records had in a push
pub(super) type Times = HashMap<Place, i64>;

/// Writes a push of all records. All spans have the same labels.
pub(super) fn write_push(spans: &[Span], labels: &Labels, clock: Clock, out: &mut Vec<u8>) {
    let stream = spans.first().map(|span| labels.of(&span.source).labels).unwrap_or_default();
    out.extend_from_slice(b"{\"streams\":[{\"stream\":{");
    write_pairs(stream.iter(), out);
    out.extend_from_slice(b"},\"values\":[");
    let mut is_first = true;
    for span in spans {
        write_entries(span, &labels.of(&span.source), clock, &mut is_first, out);
    }
    out.extend_from_slice(b"]}]}");
}

fn write_entries(span: &Span, names: &Names, clock: Clock, is_first: &mut bool, out: &mut Vec<u8>) {
    let mut room = Room::default();
    let middle = middle(names, span.mark, &mut room);
    let (mut stamps, mut number) = (Stamps::new(span, clock), itoa::Buffer::new());
    span.records(|record| {
        out.extend_from_slice(if *is_first { b"[\"" } else { b",[\"" });
        *is_first = false;
        out.extend_from_slice(number.format(stamps.next(record)).as_bytes());
        out.extend_from_slice(b"\",\"");
        escape(&record.message, out);
        out.extend_from_slice(&middle);
        out.extend_from_slice(number.format(record.offset).as_bytes());
        out.push(b'"');
        if matches!(clock, Clock::Moved(_)) {
            out.extend_from_slice(b",\"time\":\"");
            out.extend_from_slice(rfc3339(record.time).as_bytes());
            out.push(b'"');
        }
        write_fields(&record.fields, names, room, out);
        out.extend_from_slice(b"}]");
    });
}

/// The place of each record, and the time that its entry has
pub(super) fn places(spans: &[Span], known: Option<&Times>) -> Vec<(Place, i64)> {
    let mut places = Vec::new();
    for span in spans {
        let mut stamps = Stamps::new(span, Clock::Record(known));
        span.records(|record| places.push(((span.key, record.offset), stamps.next(record))));
    }
    places
}

/// The text between the message and the offset of each entry
fn middle(names: &Names, mark: Mark, room: &mut Room) -> Vec<u8> {
    let mut middle = b"\",{".to_vec();
    write_pairs(names.metadata.iter().filter(|(name, value)| room.take(name, value)), &mut middle);
    middle.extend_from_slice(match mark {
        Mark::Whole => b"",
        Mark::Cut => b",\"cut\":\"true\"".as_slice(),
        Mark::Unfinished => b",\"unfinished\":\"true\"",
    });
    // Not `offset`, because that is a word of LogQL, and no query could use it.
    middle.extend_from_slice(b",\"log_offset\":\"");
    middle
}

/// Nanoseconds up to which times are moved by the file that they are of
const MOVE: i64 = 1_000_000;

/// The times of entries. Loki drops a line that has the text and the time of another in its stream,
/// so no two records of a file get the same: the digits that a time leaves open are filled from the
/// offset, which a second attempt does alike. Other pods in the stream may write the same at the
/// same offset, so each generation has a move of its own.
struct Stamps<'a> {
    generation: u64,
    key: u64,
    /// Those of the whole batch: in a part of it, `step` does not know the records before
    known: Option<&'a Times>,
    moved: Option<i64>,
    read: i64,
    read_from: u64,
    /// The times of the records that were seen are multiples of this number of nanoseconds.
    step: i64,
}

impl<'a> Stamps<'a> {
    fn new(span: &Span, clock: Clock<'a>) -> Self {
        let (known, moved) = match clock {
            Clock::Record(known) => (known, None),
            Clock::Moved(time) => (None, Some(time)),
        };
        // Its name is a hash.
        let generation = u64::from_str_radix(&span.source.generation, 16).unwrap_or_default();
        let (key, read, read_from) = (span.key, span.time, span.read_from);
        Self { generation, key, known, moved, read, read_from, step: 1_000_000_000 }
    }

    fn next(&mut self, record: &Record) -> i64 {
        if let Some(time) = self.known.and_then(|known| known.get(&(self.key, record.offset))) {
            return *time;
        }
        let within = record.offset.saturating_sub(self.read_from);
        if let Some(time) = self.moved {
            // Of several files, whose lines may be alike
            return time.saturating_add_unsigned(self.generation % MOVE.unsigned_abs() + within);
        }
        if record.time == self.read {
            return record.time.saturating_add_unsigned(within);
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
    use crate::records::span::{of, with_attributes};

    fn push(span: &Span) -> serde_json::Value {
        push_at(span, Clock::Record(None))
    }

    fn push_at(span: &Span, clock: Clock) -> serde_json::Value {
        let mut out = Vec::new();
        let labels = Labels::from_options(&mut Options::default()).unwrap();
        write_push(std::slice::from_ref(span), &labels, clock, &mut out);
        serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
    }

    fn times(push: &serde_json::Value) -> Vec<i64> {
        let values = push["streams"][0]["values"].as_array().unwrap();
        values.iter().map(|entry| entry[0].as_str().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn a_push_is_one_stream_with_an_entry_for_each_record() {
        let span = with_attributes(of(b"one\n\"two\"\n", Mark::Whole), &[("k8s.namespace.name", "shop")]);
        let push = push(&span);
        let stream = &push["streams"][0];
        assert_eq!(stream["stream"], json!({"job": "log-forwarder", "namespace": "shop"}));
        let metadata = json!({"filename": "/logs/app.log", "generation": "0123456789abcdef", "log_offset": "4"});
        assert_eq!(stream["values"][1], json!([(span.time + 4).to_string(), "\"two\"", metadata]));
        assert_eq!(times(&push), [span.time, span.time + 4]);
        let places = places(std::slice::from_ref(&span), None);
        assert_eq!(places, [((1, 0), span.time), ((1, 4), span.time + 4)]);
    }

    #[test]
    fn halves_have_the_times_of_the_whole() {
        let span = of(b"one\none\none\none\none\n", Mark::Whole);
        let (first, second) = span.halves().unwrap();
        let halves = [times(&push(&first)), times(&push(&second))].concat();
        assert_eq!(halves, times(&push(&span)));
        assert_eq!(times(&push(&span.select(&[1, 3]))), [span.time + 4, span.time + 12]);
    }

    #[test]
    fn marks_are_metadata() {
        assert_eq!(push(&of(b"on", Mark::Cut))["streams"][0]["values"][0][2]["cut"], "true");
        assert_eq!(push(&of(b"on", Mark::Unfinished))["streams"][0]["values"][0][2]["unfinished"], "true");
    }

    #[test]
    fn what_is_too_old_keeps_its_time_as_metadata() {
        let span = of(b"one\n", Mark::Whole);
        let push = push_at(&span, Clock::Moved(9));
        assert_eq!(push["streams"][0]["values"][0][2]["time"], rfc3339(span.time));
        assert_eq!(times(&push), [9 + 0x0123_4567_89ab_cdef % MOVE]);
    }

    fn stamp(stamps: &mut Stamps, offset: u64, time: i64) -> i64 {
        stamps.next(&Record { offset, time, text: "", message: "".into(), fields: Vec::new() })
    }

    #[test]
    fn equal_times_are_made_distinct_within_their_own_resolution() {
        let second = 1_700_000_000_000_000_000;
        let mut stamps =
            Stamps { generation: 0, key: 1, known: None, moved: None, read: 7, read_from: 100, step: 1_000_000_000 };
        assert_eq!(stamp(&mut stamps, 123_456, second), second + 123_456);
        assert_eq!(stamp(&mut stamps, 123_460, second), second + 123_460);
        assert_eq!(stamp(&mut stamps, 1_234_567, second + 5_000_000), second + 5_234_567);
        // A whole second among milliseconds is one of them.
        assert_eq!(stamp(&mut stamps, 7_000_008, second), second + 8);
        assert_eq!(stamp(&mut stamps, 7_000_009, second + 1), second + 1);
        assert_eq!(stamp(&mut stamps, 130, 7), 37);
        for generation in [1, 2] {
            let mut other =
                Stamps { generation, key: 1, known: None, moved: None, read: 7, read_from: 0, step: 1_000_000_000 };
            assert_eq!(stamp(&mut other, 100, second), second + 100 + generation.cast_signed());
        }
        stamps.moved = Some(9);
        assert_eq!((stamp(&mut stamps, 150, second), stamp(&mut stamps, 151, 7)), (59, 60));
    }

    #[test]
    fn a_part_has_the_times_that_are_known() {
        let known = Times::from([((1, 500), 42)]);
        let span = of(b"one\n", Mark::Whole);
        let mut stamps = Stamps::new(&span, Clock::Record(Some(&known)));
        assert_eq!((stamp(&mut stamps, 500, 7_000_000_000), stamp(&mut stamps, 4, span.time)), (42, span.time + 4));
    }
}
