//! BSON (<https://bsonspec.org>), as far as a few commands of `MongoDB` and their answers need it.

use super::reader::Reader;

/// A value of an answer
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Number(f64),
    Bool(bool),
    Text(&'a str),
    Binary(&'a [u8]),
    /// The names of its elements are their numbers
    Array(&'a [u8]),
    /// Of no matter here
    Other,
}

/// A document that was read whole
#[derive(Debug, PartialEq)]
pub(crate) struct Document<'a>(Vec<(&'a str, Value<'a>)>);

impl<'a> Document<'a> {
    /// Reads the document at the front of these bytes. `None`: it is not whole, or none.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Elements(Reader(bytes));
        let length = rest.length()?.checked_sub(5)?;
        let mut rest = Elements(Reader(bytes.get(4..4 + length + 1)?));
        let mut elements = Vec::new();
        loop {
            match rest.0.byte()? {
                0 => return rest.0.0.is_empty().then_some(Self(elements)),
                kind => elements.push((rest.name()?, rest.value(kind)?)),
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.0.iter().find(|(of, _)| *of == name).map(|(_, value)| *value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Bool(true))) || self.number(name) == Some(1.0)
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn binary(&self, name: &str) -> Option<&'a [u8]> {
        match self.get(name)? {
            Value::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The texts of an array; none where there is no array
    pub(crate) fn texts(&self, name: &str) -> Vec<&'a str> {
        let Some(Value::Array(bytes)) = self.get(name) else { return Vec::new() };
        let items = Document::parse(bytes).map_or_else(Vec::new, |array| array.0);
        let text = |(_, value)| if let Value::Text(text) = value { Some(text) } else { None };
        items.into_iter().filter_map(text).collect()
    }
}

/// Elements that are read from their front, the lowest byte of a number first. `None`: they end too
/// early.
struct Elements<'a>(Reader<'a>);

impl<'a> Elements<'a> {
    fn length(&mut self) -> Option<usize> {
        let length = i32::from_le_bytes(self.0.take(4)?.try_into().ok()?);
        usize::try_from(length).ok()
    }

    fn name(&mut self) -> Option<&'a str> {
        let length = self.0.0.iter().position(|byte| *byte == 0)?;
        let name = self.0.take(length + 1)?;
        str::from_utf8(&name[..length]).ok()
    }

    /// A text with its NUL
    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        let (end, text) = self.0.take(length)?.split_last()?;
        str::from_utf8(text).ok().filter(|_| *end == 0)
    }

    /// A document or an array, whose length counts its own four bytes
    fn nested(&mut self) -> Option<&'a [u8]> {
        let length = Elements(Reader(self.0.0)).length()?;
        self.0.take(length)
    }

    #[expect(clippy::cast_precision_loss, reason = "codes and counts are small")]
    fn value(&mut self, kind: u8) -> Option<Value<'a>> {
        Some(match kind {
            0x01 => Value::Number(f64::from_le_bytes(self.0.take(8)?.try_into().ok()?)),
            0x02 => Value::Text(self.text()?),
            0x04 => Value::Array(self.nested()?),
            0x05 => {
                let length = self.length()?;
                let _subtype = self.0.take(1)?;
                Value::Binary(self.0.take(length)?)
            }
            0x08 => Value::Bool(self.0.take(1)?[0] == 1),
            0x10 => Value::Number(i32::from_le_bytes(self.0.take(4)?.try_into().ok()?).into()),
            0x12 => Value::Number(i64::from_le_bytes(self.0.take(8)?.try_into().ok()?) as f64),
            _ => {
                self.skip(kind)?;
                Value::Other
            }
        })
    }

    fn skip(&mut self, kind: u8) -> Option<()> {
        match kind {
            // undefined, null, the smallest and the largest key
            0x06 | 0x0a | 0xff | 0x7f => {}
            // date, timestamp; object ID; decimal
            0x09 | 0x11 => drop(self.0.take(8)?),
            0x07 => drop(self.0.take(12)?),
            0x13 => drop(self.0.take(16)?),
            // document, code with its scope
            0x03 | 0x0f => drop(self.nested()?),
            // regular expression
            0x0b => {
                self.name()?;
                self.name()?;
            }
            // code, symbol
            0x0d | 0x0e => drop(self.text()?),
            // pointer
            0x0c => {
                self.text()?;
                self.0.take(12)?;
            }
            _ => return None,
        }
        Some(())
    }
}

/// Makes a document of elements, which the functions below make.
pub(super) fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let elements = elements.concat();
    [&length(elements.len() + 5)[..], &elements, &[0]].concat()
}

pub(super) fn nested(name: &str, elements: &[Vec<u8>]) -> Vec<u8> {
    element(0x03, name, &document(elements))
}

pub(super) fn text(name: &str, text: &str) -> Vec<u8> {
    element(0x02, name, &[&length(text.len() + 1)[..], text.as_bytes(), &[0]].concat())
}

pub(super) fn number(name: &str, number: i32) -> Vec<u8> {
    element(0x10, name, &number.to_le_bytes())
}

pub(super) fn binary(name: &str, bytes: &[u8]) -> Vec<u8> {
    element(0x05, name, &[&length(bytes.len())[..], &[0], bytes].concat())
}

pub(super) fn yes(name: &str) -> Vec<u8> {
    element(0x08, name, &[1])
}

fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

fn length(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer() -> Vec<u8> {
        document(&[
            text("setName", "rs0"),
            yes("secondary"),
            element(0x01, "ok", &1f64.to_le_bytes()),
            number("code", 18),
            element(0x12, "big", &7i64.to_le_bytes()),
            binary("payload", b"r=x"),
            nested("topology", &[number("a", 1)]),
            element(0x09, "localTime", &[0; 8]),
            element(0x0b, "regex", b"a\0i\0"),
            element(0x0a, "null", &[]),
            element(0x04, "hosts", &document(&[text("0", "h1"), number("1", 1), text("2", "h2")])),
        ])
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = answer();
        let read = Document::parse(&bytes).unwrap();
        assert_eq!((read.text("setName"), read.text("ok")), (Some("rs0"), None));
        assert!(read.is_true("secondary") && read.is_true("ok") && !read.is_true("code") && !read.is_true("none"));
        assert_eq!((read.number("code"), read.number("big")), (Some(18.0), Some(7.0)));
        assert_eq!(read.binary("payload"), Some(&b"r=x"[..]));
        assert_eq!((read.texts("hosts"), read.texts("payload")), (vec!["h1", "h2"], vec![]));
        assert_eq!(read.get("topology"), Some(Value::Other));
        // What follows a document is not its own.
        assert_eq!(Document::parse(&[&bytes[..], b"x"].concat()), Some(read));
    }

    #[test]
    fn the_example_of_the_specification() {
        assert_eq!(document(&[text("hello", "world")]), b"\x16\0\0\0\x02hello\0\x06\0\0\0world\0\0");
    }

    #[test]
    fn half_a_document_is_none() {
        let bytes = answer();
        for end in 0..bytes.len() {
            assert_eq!(Document::parse(&bytes[..end]), None, "{end}");
        }
        for wrong in [
            &b"\x05\0\0\0\x01"[..],
            b"\x04\0\0\0\0",
            b"\xff\xff\xff\xff\0",
            b"\x07\0\0\0\0\0\0",
            b"\x08\0\0\0\x42a\0\0",
        ] {
            assert_eq!(Document::parse(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind: u8) {
            let _ = Document::parse(&bytes);
            let whole = document(&[element(kind, "a", &bytes)]);
            if let Some(read) = Document::parse(&whole) {
                read.texts("a");
            }
        }
    }
}
