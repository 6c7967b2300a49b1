//! One record of a log, as its format reads it, for outputs that know fields and times.

use std::borrow::Cow;

/// One record: a line, or several that belong together
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// Of its first byte in the generation
    pub(crate) offset: u64,
    /// Nanoseconds since 1970: as the record says, or when it was read
    pub(crate) time: i64,
    /// The app's text, without its last newline and the words that a container runtime puts around
    /// it; bytes that are no text are replaced
    pub(crate) text: &'a str,
    /// The message that the format finds, or else the text
    pub(crate) message: Cow<'a, str>,
    /// The fields that the format found, in its order
    pub(crate) fields: Vec<Field<'a>>,
}

/// A name and its value
pub(crate) type Field<'a> = (Cow<'a, str>, Value<'a>);

/// A typed value
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Text(Cow<'a, str>),
    /// A number, a boolean, null, an object or an array, as JSON writes it
    Json(Cow<'a, str>),
}

/// The values that a format finds in the text of a record
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed<'a> {
    /// Nanoseconds since 1970
    pub(crate) time: Option<i64>,
    /// `None` means the text as it is
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) fields: Vec<Field<'a>>,
    /// The record lacks the time that the settings say it has.
    pub(crate) lacks_time: bool,
}

/// The text of an app, and what stands around it
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrapped<'a> {
    /// Nanoseconds since 1970
    pub(crate) time: Option<i64>,
    pub(crate) text: Cow<'a, str>,
    pub(crate) fields: Vec<Field<'a>>,
}

impl<'a> Wrapped<'a> {
    /// A text with nothing around it
    pub(crate) fn bare(text: &'a str) -> Self {
        Self { time: None, text: text.into(), fields: Vec::new() }
    }
}
