//! The structured metadata of an entry, within the bounds that Loki has for it: it refuses an entry
//! with more.

use std::borrow::Cow;

use super::labels::{Names, sanitised};
use crate::{
    format::record::{Field, Value},
    outputs::encoding::write_text,
};

/// Names that an entry has in addition to those of its batch
const OURS: [&str; 5] = ["log_offset", "time", "cut", "unfinished", LEFT_OUT];
/// The number of fields that did not fit into an entry
const LEFT_OUT: &str = "fields_left_out";
/// The suffix that Loki itself gives to a name that is taken
const TAKEN: &str = "_extracted";

/// The room that an entry has for the fields of its batch and its own
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    names: usize,
    bytes: usize,
    left_out: usize,
}

impl Default for Room {
    /// Loki's `max_structured_metadata_entries_count` (128) and `max_structured_metadata_size` (64
    /// KiB of names and values), less the names in [`OURS`], of which one entry has four.
    fn default() -> Self {
        Self { names: 128 - 4, bytes: 64 * 1024 - 128, left_out: 0 }
    }
}

impl Room {
    /// Whether a name and its value still fit. Those that do not are counted; smaller ones may fit
    /// after them.
    pub(super) fn take(&mut self, name: &str, value: &str) -> bool {
        let bytes = name.len() + value.len();
        let fits = self.names > 0 && bytes <= self.bytes;
        if fits {
            self.names -= 1;
            self.bytes -= bytes;
        } else {
            self.left_out += 1;
        }
        fits
    }
}

/// Writes names and values, separated by commas.
pub(super) fn write_pairs<'a>(pairs: impl Iterator<Item = &'a (String, String)>, out: &mut Vec<u8>) {
    for (nth, (name, value)) in pairs.enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write_text(value, out);
    }
}

/// Parsed fields as metadata, which knows nothing but text. Of two with one name the first one
/// counts, and null is none. The number of those that do not fit stands behind them.
pub(super) fn write_fields(fields: &[Field], names: &Names, mut room: Room, out: &mut Vec<u8>) {
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
        if is_nothing || written.contains(&name) || !room.take(&name, text) {
            continue;
        }
        write_field(&name, text, out);
        written.push(name);
    }
    if room.left_out > 0 {
        write_field(LEFT_OUT, &room.left_out.to_string(), out);
    }
}

fn write_field(name: &str, text: &str, out: &mut Vec<u8>) {
    out.push(b',');
    write_text(name, out);
    out.push(b':');
    write_text(text, out);
}

#[cfg(test)]
mod tests {
    use endpoint::Options;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        outputs::loki::labels::Labels,
        records::span::{Mark, of},
    };

    fn written(fields: &[Field], room: Room) -> serde_json::Value {
        let labels = Labels::from_options(&mut Options::default()).unwrap();
        let mut out = b"{\"log_offset\":\"0\"".to_vec();
        write_fields(fields, &labels.of(&of(b"one\n", Mark::Whole).source), room, &mut out);
        out.push(b'}');
        serde_json::from_slice(&out).unwrap()
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
        let expected = json!({"log_offset": "0", "status": "200", "a_b": "1", "log_offset_extracted": "mine",
            "filename_extracted": "mine too", "level": "warn", "deep": "{\"x\":1}"});
        assert_eq!(written(&fields, Room::default()), expected);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        let long = "x".repeat(70_000);
        let mut fields: Vec<Field> =
            (0..200).map(|number| (format!("f{number}").into(), Value::Json("1".into()))).collect();
        fields[1].1 = Value::Text(long.into());
        let object = written(&fields, Room::default());
        let object = object.as_object().unwrap();
        assert!(object.contains_key("f0") && !object.contains_key("f1") && object.contains_key("f2"));
        assert_eq!((object.len(), &object[LEFT_OUT]), (126, &json!("76")));
    }

    proptest! {
        #[test]
        fn no_entry_has_more_than_loki_takes(lengths in proptest::collection::vec(0..3000_usize, 0..200)) {
            let fields: Vec<Field> = lengths.iter().enumerate()
                .map(|(nth, length)| (format!("f{nth}").into(), Value::Text("x".repeat(*length).into()))).collect();
            let object = written(&fields, Room::default());
            let object = object.as_object().unwrap();
            let bytes: usize = object.iter().map(|(name, value)| name.len() + value.as_str().unwrap().len()).sum();
            prop_assert!(object.len() <= 128 && bytes <= 65_536);
        }
    }
}
