//! How an input's lines become records: which lines belong together, their characters, and their fields.

pub(crate) mod amount;
mod charset;
mod cri;
mod docker;
mod extent;
mod fields;
mod flags;
pub(crate) mod json;
mod logfmt;
mod multiline;
mod nginx;
mod parser;
mod parts;
mod pattern;
pub(crate) mod record;
#[cfg(any(test, fuzzing))]
pub(crate) mod soundness;
mod split;
pub(crate) mod time;
mod traces;

use std::borrow::Cow;

use memchr::memchr;

use self::time::TimeRule;
pub(crate) use self::{
    charset::Charset,
    extent::Extent,
    flags::FormatFlags,
    multiline::Multiline,
    parser::Parser,
    split::Split,
    time::{TimeFlags, TimeForm, TimeKey, Zone},
};
use crate::format::record::Parsed;

/// How the lines of an input are read; cheap to clone
#[derive(Clone, Debug, Default)]
pub(crate) struct Format {
    parser: Parser,
    multiline: Option<Multiline>,
    charset: Charset,
    time: TimeRule,
}

impl Format {
    /// An error names the settings that exclude each other.
    fn new(parser: Parser, multiline: Option<Multiline>, charset: Charset, time: TimeFlags) -> Result<Self, String> {
        if multiline.is_some() && !parser.takes_several_lines() {
            return Err(format!(
                "multiline joins no lines of format {parser}, where each is a record: drop one of them"
            ));
        }
        if time.name_a_field() && !parser.has_time_field() {
            return Err(format!(
                "format {parser} has no field of your choice for the time: drop time-key and time-format, or use json, logfmt or regex"
            ));
        }
        Ok(Self { parser, multiline, charset, time: time.into() })
    }

    /// Whether a record is its text and nothing else
    pub(crate) fn is_raw(&self) -> bool {
        matches!(self.parser, Parser::Raw)
    }

    /// Whether a record can consist of several lines, so that one that is complete may still go on.
    pub(crate) fn joins_lines(&self) -> bool {
        self.multiline.is_some() || self.parser.parts().is_some()
    }

    /// How many bytes of whole lines are complete records, which later lines cannot change. Zero where the first record may
    /// continue. A caller that cannot wait (the file has ended or is quiet, or the record is too long) takes all lines as they are.
    pub(crate) fn extent(&self, bytes: &[u8]) -> usize {
        match (&self.multiline, self.parser.parts()) {
            (Some(multiline), _) => multiline.extent(bytes, self.charset),
            (None, Some(read)) => parts::extent(read, bytes),
            (None, None) => bytes.len(),
        }
    }

    /// Where each record is among whole lines, in the order of their first lines. Where the lines of a container's two streams
    /// alternate, [`join`](Self::join) leaves out those of the other stream.
    pub(crate) fn split<'a>(&'a self, lines: &'a [u8]) -> Split<'a> {
        Split::new(self, lines)
    }

    /// The bytes to read a record of several lines from, if its parts are to be joined before they are text.
    pub(crate) fn join(&self, record: &[u8]) -> Option<Vec<u8>> {
        parts::join(self.parser.parts()?, record)
    }

    /// Whether a line can have parts, which may stand in two files.
    pub(crate) fn has_parts(&self) -> bool {
        self.parser.parts().is_some()
    }

    /// How many bytes of the next file belong to the records at the end of this one.
    pub(crate) fn completion(&self, end: &[u8], next: &[u8]) -> Option<usize> {
        parts::completion(self.parser.parts()?, end, next)
    }

    /// Bytes as text, if they are all text as it is.
    pub(crate) fn as_text<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        self.charset.as_text(bytes)
    }

    /// The text of a record, and how many of its bytes had to be replaced.
    pub(crate) fn decode<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, str>, u64) {
        self.charset.decode(bytes)
    }

    /// The text of a record without its last newline, and without the carriage return before each newline.
    pub(crate) fn without_ends<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(lines) = text.strip_suffix('\n') else { return text.into() };
        let lines = lines.strip_suffix('\r').unwrap_or(lines);
        let has_returns = self.multiline.is_some() && memchr(b'\r', lines.as_bytes()).is_some();
        if has_returns { lines.replace("\r\n", "\n").into() } else { lines.into() }
    }

    /// Reads the text of a record, without its last newline; nothing if it is not in this format.
    pub(crate) fn read<'a>(&self, text: &'a str) -> Option<Parsed<'a>> {
        let first_line = self.multiline.as_ref().and_then(|_| text.split_once('\n'));
        let Some((first, rest)) = first_line else { return self.parser.read(text, &self.time) };
        let mut parsed = self.parser.read(first, &self.time)?;
        if let Some(message) = &mut parsed.message {
            let message = message.to_mut();
            message.push('\n');
            message.push_str(rest);
        }
        Some(parsed)
    }
}

#[cfg(test)]
mod tests;
