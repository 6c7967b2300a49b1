//! The values of options in YAML, counted while they are read.

use std::{cell::Cell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, SeqAccess, Visitor},
};

/// Options of a target, each element of a list counted
const OPTION_LIMIT: usize = 100;
/// Bytes of all URLs and options, those behind aliases counted each time
const TEXT_LIMIT: usize = 256 * 1024;

/// What may still be read
pub(super) struct Room {
    bytes: Cell<usize>,
    /// Of the target at hand
    options: Cell<usize>,
}

impl Default for Room {
    fn default() -> Self {
        Self { bytes: Cell::new(TEXT_LIMIT), options: Cell::new(OPTION_LIMIT) }
    }
}

impl Room {
    pub(super) fn begin_target(&self) {
        self.options.set(OPTION_LIMIT);
    }

    /// Makes a text count.
    pub(super) fn take<E: Error>(&self, text: &str) -> Result<(), E> {
        let left = self.bytes.get().checked_sub(text.len());
        self.bytes.set(left.ok_or_else(|| {
            E::custom(format_args!("the targets are over {} KiB of text, aliases counted", TEXT_LIMIT / 1024))
        })?);
        Ok(())
    }

    fn take_option<E: Error>(&self, text: &str) -> Result<(), E> {
        let left = self.options.get().checked_sub(1);
        self.options.set(left.ok_or_else(|| E::custom(format_args!("a target has at most {OPTION_LIMIT} options")))?);
        self.take(text)
    }
}

/// The value of an option, as text
#[derive(Clone, Copy)]
struct Value<'a> {
    room: &'a Room,
    name: &'a str,
}

/// Likewise, or several of an option that may be repeated
pub(super) struct Values<'a>(Value<'a>);

impl<'a> Values<'a> {
    /// Of the option with this name
    pub(super) fn new(room: &'a Room, name: &'a str) -> Self {
        Self(Value { room, name })
    }
}

impl Value<'_> {
    fn text<E: Error>(self, text: String) -> Result<String, E> {
        self.room.take_option(&text)?;
        Ok(text)
    }

    fn number<E: Error>(self, number: i128) -> Result<String, E> {
        // YAML has read it by then: 0o644 is 420, and 420 as a mode would be something else.
        if self.name == "mode" {
            return Err(E::custom(r#"a mode is a text: quote it, as in mode: "0644""#));
        }
        self.text(number.to_string())
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Value<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text, a whole number, true or false")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<String, E> {
        self.text(on.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        self.number(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        self.number(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        self.text(text.to_owned())
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text, a whole number, true, false, or a list of those")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Vec<String>, E> {
        Ok(vec![self.0.visit_bool(on)?])
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<String>, E> {
        Ok(vec![self.0.number(number.into())?])
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Vec<String>, E> {
        Ok(vec![self.0.number(number.into())?])
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
        Ok(vec![self.0.visit_str(text)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.0)? {
            values.push(value);
        }
        Ok(values)
    }
}
