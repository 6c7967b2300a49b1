//! Lines as outputs want them: as they are, or an object for each (NDJSON).

use endpoint::Options;

use crate::{
    format::{
        json::first_special,
        record::{Field, Value},
    },
    records::{
        batch::Batch,
        span::{Mark, Span},
        timestamp::{rfc3339, write_rfc3339},
    },
};

/// How a line is written
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is
    Raw,
    /// As an object with time, file, generation, offset, message, fields and attributes
    Ndjson,
}

/// The option that [`Encoding::from_options`] takes
pub(crate) const OPTION: &str = "as=raw|ndjson";

impl Encoding {
    /// The value of `as`, or this default
    pub(crate) fn from_options(options: &mut Options, default: Self) -> Result<Self, String> {
        let encoding = options.parsed("as", |text| match text {
            "raw" => Ok(Self::Raw),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err("this is neither raw nor ndjson".into()),
        });
        Ok(encoding?.unwrap_or(default))
    }

    /// The bytes of a batch. Raw lines need no room, unless a newline is missing or a line is
    /// changed.
    pub(crate) fn bytes<'a>(self, batch: &'a Batch, room: &'a mut Vec<u8>) -> &'a [u8] {
        if let [span] = batch.spans()
            && self == Self::Raw
            && let Some(lines) = span.whole_lines()
        {
            return lines;
        }
        room.clear();
        self.write(batch, room);
        room
    }

    /// Writes a batch.
    pub(crate) fn write(self, batch: &Batch, out: &mut Vec<u8>) {
        for span in batch.spans() {
            match self {
                Self::Raw => span.write_raw(out),
                Self::Ndjson => write_objects(span, out),
            }
        }
    }
}

/// Writes an object a record. What all have in common is put together once.
pub(crate) fn write_objects(span: &Span, out: &mut Vec<u8>) {
    let time = rfc3339(span.time);
    let mut head = Vec::new();
    head.extend_from_slice(b"\",\"file\":\"");
    escape(&span.source.path.to_string_lossy(), &mut head);
    head.extend_from_slice(b"\",\"generation\":\"");
    head.extend_from_slice(span.source.generation.as_bytes());
    head.extend_from_slice(b"\",\"offset\":");
    let tail = tail(span);
    let mut number = itoa::Buffer::new();
    span.records(|record| {
        out.extend_from_slice(b"{\"time\":\"");
        if record.time == span.time {
            out.extend_from_slice(time.as_bytes());
        } else {
            write_rfc3339(record.time, out);
        }
        out.extend_from_slice(&head);
        out.extend_from_slice(number.format(record.offset).as_bytes());
        out.extend_from_slice(b",\"message\":\"");
        escape(&record.message, out);
        out.push(b'"');
        if !record.fields.is_empty() {
            out.extend_from_slice(b",\"fields\":");
            write_fields(&record.fields, out);
        }
        out.extend_from_slice(&tail);
    });
}

/// The text behind the fields of each record: its attributes, and its mark
fn tail(span: &Span) -> Vec<u8> {
    let mut tail = Vec::new();
    for (name, value) in &span.source.treatment.attributes {
        tail.push(b',');
        write_text(name, &mut tail);
        tail.push(b':');
        write_text(value, &mut tail);
    }
    tail.extend_from_slice(match span.mark {
        Mark::Whole => b"}\n",
        Mark::Cut => b",\"cut\":true}\n",
        Mark::Unfinished => b",\"unfinished\":true}\n",
    });
    tail
}

/// Writes fields as a JSON object.
pub(crate) fn write_fields(fields: &[Field], out: &mut Vec<u8>) {
    out.push(b'{');
    for (nth, (name, value)) in fields.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        match value {
            Value::Text(text) => write_text(text, out),
            Value::Json(json) => out.extend_from_slice(json.as_bytes()),
        }
    }
    out.push(b'}');
}

/// Writes a JSON string, with its quotes.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Writes the inside of a JSON string (RFC 8259, section 7).
pub(crate) fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = first_special(rest) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            control => escape_control(control, out),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Apart, because lines of logs seldom have one.
#[cold]
#[inline(never)]
fn escape_control(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend([b'0' + (byte >> 4), b"0123456789abcdef"[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::records::span::of;

    #[test]
    fn an_object_has_all_that_is_known() {
        let mut out = Vec::new();
        write_objects(&of(b"one\n\"two\"\n", Mark::Whole), &mut out);
        let objects: Vec<Value> =
            out.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!(objects.len(), 2);
        assert_eq!((&objects[1]["message"], &objects[1]["offset"]), (&"\"two\"".into(), &4.into()));
        assert_eq!(objects[1]["file"], "/logs/app.log");
        let mut out = Vec::new();
        write_objects(&of(b"end \xff", Mark::Unfinished), &mut out);
        let object: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&object["message"], &object["unfinished"]), (&"end \u{fffd}".into(), &true.into()));
    }

    #[test]
    fn raw_lines_always_have_their_newline() {
        let mut room = Vec::new();
        assert_eq!(Encoding::Raw.bytes(&of(b"a\nb\n", Mark::Whole).into(), &mut room), b"a\nb\n");
        assert_eq!(Encoding::Raw.bytes(&of(b"b", Mark::Unfinished).into(), &mut room), b"b\n");
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_again(text in proptest::collection::vec(any::<char>(), 0..60)) {
            let text: String = text.into_iter().collect();
            let mut json = vec![b'"'];
            escape(&text, &mut json);
            json.push(b'"');
            prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }

        #[test]
        fn controls_are_escaped_wherever_they_stand(before in "[ -~é]{0,20}", control in 0..0x20u8, after in "[ -~]{0,20}") {
            let text = format!("{before}{}{after}", char::from(control));
            let mut json = vec![b'"'];
            escape(&text, &mut json);
            json.push(b'"');
            prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
        }
    }
}
