//! Faults of a file, with their places. A message holds no value of the file, because any value may be a secret.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use super::node::{Node, Place};
use crate::variables::{is_name, nearest};

/// One fault of a file
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) place: Option<Place>,
    /// The number of the node
    pub(crate) node: Option<usize>,
    /// Of a fault of a map, the key of the entry that it is about
    key: Option<String>,
}

/// An error about one entry of a map that was read as a whole, for [`serde::de::Error::custom`]: it gets the place of the key
#[derive(Debug)]
pub struct AtKey<'a> {
    /// The key as it is written
    pub key: &'a str,
    /// The fault and its remedy, without a value that may be a secret
    pub message: &'a str,
}

/// Between key and message in the alternate form, by which serde hands both to [`Fault::custom`]
const SEPARATOR: char = '\0';

impl Display for AtKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if f.alternate() {
            write!(f, "{}{SEPARATOR}", self.key)?;
        }
        f.write_str(self.message)
    }
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, node: None, key: None }
    }

    /// Where the text could not be read
    pub(crate) fn at_place(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The innermost node counts: a fault that has a node keeps it.
    pub(crate) fn at(self, node: &Node) -> Self {
        if self.node.is_some() {
            return self;
        }
        let node = self.key.as_deref().and_then(|key| node.key(key)).unwrap_or(node);
        Self { place: Some(node.place), node: Some(node.number), ..self }
    }
}

impl std::error::Error for Fault {}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        let text = format!("{message:#}");
        match text.split_once(SEPARATOR) {
            Some((key, message)) => Self { key: Some(key.to_owned()), ..Self::new(message) },
            None => Self::new(text),
        }
    }

    fn invalid_type(_: Unexpected, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}", in_words(expected)))
    }

    fn invalid_value(_: Unexpected, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}", in_words(expected)))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}", in_words(expected)))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        let hint = near(variant, known).unwrap_or_else(|| format!("; there are {}", known.join(", ")));
        Self::new(format!("unknown value{hint}"))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        // A key is named where it can be no secret; its value may be one.
        let name = if is_name(field) { format!(" {field:?}") } else { String::new() };
        let hint = near(field, known).unwrap_or_else(|| format!("{name}; there are {}", known.join(", ")));
        Self::new(format!("unknown key{hint}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the key {field:?} is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("the key {field} is given twice"))
    }
}

/// Repeats a word that is nearly a known one: any other may be a part of a secret.
fn near(word: &str, known: &'static [&'static str]) -> Option<String> {
    nearest(word, known.iter().copied()).map(|near| format!(" {word:?}; did you mean {near}?"))
}

/// What serde expects, in YAML's words and not in Rust's.
fn in_words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let words = match text.as_str() {
        "a sequence" => "a list: begin each entry with -",
        "a boolean" => "true or false",
        "a string" => "a text",
        "path string" => "a path",
        "newtype variant" | "struct variant" => "a map, as in key: value",
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        name if name.starts_with("struct ") => "a map, as in key: value",
        _ => return text,
    };
    words.to_owned()
}
