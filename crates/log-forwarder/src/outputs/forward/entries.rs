//! Records as entries of the forward protocol: each is its time, and the same object as in NDJSON
//! without that.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::pack::{Collection, Pack};
use crate::{
    format::record::Value,
    records::span::{Mark, Span},
};

/// Names that each record has: message, file, generation and offset
const ALWAYS: usize = 4;

/// Writes an entry for each record, and says how many there are.
pub(super) fn write(span: &Span, out: &mut Vec<u8>) -> usize {
    let (head, tail) = (head(span), tail(span));
    let attributes = span.source.treatment.attributes.len() + usize::from(span.mark != Mark::Whole);
    let mut count = 0;
    span.records(|record| {
        count += 1;
        let mut pack = Pack(out);
        pack.array(2);
        pack.time(record.time);
        pack.map(ALWAYS + attributes + usize::from(!record.fields.is_empty()));
        pack.text("message");
        pack.text(&record.message);
        pack.0.extend_from_slice(&head);
        pack.unsigned(record.offset);
        if !record.fields.is_empty() {
            pack.text("fields");
            pack.map(record.fields.len());
            for (name, value) in &record.fields {
                pack.text(name);
                match value {
                    Value::Text(text) => pack.text(text),
                    Value::Json(json) => write_json(json, &mut pack),
                }
            }
        }
        pack.0.extend_from_slice(&tail);
    });
    count
}

/// The bytes between message and offset, the same for all records of a span
fn head(span: &Span) -> Vec<u8> {
    let mut head = Vec::new();
    let mut pack = Pack(&mut head);
    pack.text("file");
    pack.text(&span.source.path.to_string_lossy());
    pack.text("generation");
    pack.text(&span.source.generation);
    pack.text("offset");
    head
}

/// The bytes behind the fields
fn tail(span: &Span) -> Vec<u8> {
    let mut tail = Vec::new();
    let mut pack = Pack(&mut tail);
    for (name, value) in &span.source.treatment.attributes {
        pack.text(name);
        pack.text(value);
    }
    if span.mark != Mark::Whole {
        pack.text(if span.mark == Mark::Cut { "cut" } else { "unfinished" });
        pack.boolean(true);
    }
    tail
}

/// Writes a JSON value; its text where it is none.
fn write_json(json: &str, pack: &mut Pack) {
    let start = pack.0.len();
    let mut reader = serde_json::Deserializer::from_str(json);
    if Json(pack).deserialize(&mut reader).and_then(|()| reader.end()).is_err() {
        pack.0.truncate(start);
        pack.text(json);
    }
}

/// Writes a JSON value as it is read.
struct Json<'a, 'b>(&'a mut Pack<'b>);

impl<'de> DeserializeSeed<'de> for Json<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.nil();
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.boolean(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.unsigned(value);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.signed(value);
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.float(value);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let (opened, mut size) = (self.0.open(Collection::Array), 0);
        while values.next_element_seed(Json(self.0))?.is_some() {
            size += 1;
        }
        self.0.close(opened, size);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let (opened, mut size) = (self.0.open(Collection::Map), 0);
        while entries.next_key_seed(Json(self.0))?.is_some() {
            entries.next_value_seed(Json(self.0))?;
            size += 1;
        }
        self.0.close(opened, size);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::span::of;

    #[test]
    fn an_entry_is_a_time_and_all_that_is_known() {
        let mut span = of(b"one\nt\xffo\n", Mark::Whole);
        span.time = 0x65_4321 * 1_000_000_000 + 7;
        let mut out = Vec::new();
        assert_eq!(write(&span, &mut out), 2);
        let time = b"\x92\xd7\x00\x00\x65\x43\x21\x00\x00\x00\x07\x84\xa7message";
        let rest = b"\xa4file\xad/logs/app.log\xaageneration\xb00123456789abcdef\xa6offset";
        let replaced = b"\xa5t\xef\xbf\xbdo";
        let expected = [&time[..], b"\xa3one", rest, b"\x00", time, replaced, rest, b"\x04"].concat();
        assert_eq!(out, expected);
        let mut out = Vec::new();
        assert_eq!(write(&of(b"end", Mark::Unfinished), &mut out), 1);
        assert!(out.ends_with(b"\xaaunfinished\xc3") && out[11] == 0x85);
    }

    #[test]
    fn json_keeps_its_types() {
        let packed = |json: &str| {
            let mut out = Vec::new();
            write_json(json, &mut Pack(&mut out));
            out
        };
        assert_eq!(packed("null"), [0xc0]);
        assert_eq!(packed(" true"), [0xc3]);
        assert_eq!(packed("200"), [0xcc, 200]);
        assert_eq!(packed("65536"), [0xce, 0, 1, 0, 0]);
        assert_eq!(packed("-1"), b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff");
        assert_eq!(packed("0.5"), b"\xcb\x3f\xe0\0\0\0\0\0\0");
        assert_eq!(packed(r#"{"a":[1,"x"],"b":{}}"#), b"\xdf\0\0\0\x02\xa1a\xdd\0\0\0\x02\x01\xa1x\xa1b\xdf\0\0\0\0");
        assert_eq!(packed("[1"), b"\xa2[1");
        assert_eq!(packed("1 2"), b"\xa31 2");
    }
}
