//! How an input's lines become records: which lines belong together, their characters, and their
//! fields.

pub(crate) mod amount;
mod charset;
mod cri;
mod docker;
mod escapes;
mod extent;
mod fields;
mod flags;
pub(crate) mod json;
mod logfmt;
mod multiline;
mod nested;
mod nginx;
mod parser;
mod parts;
mod pattern;
pub(crate) mod record;
pub(crate) mod severity;
#[cfg(any(test, fuzzing))]
pub(crate) mod soundness;
mod split;
mod syntax;
pub(crate) mod time;
mod traces;
mod wrapper;

use std::borrow::Cow;

use memchr::memchr;

pub(crate) use self::{
    charset::Charset,
    escapes::{quoted_length, unescaped},
    extent::Extent,
    fields::keep_last,
    flags::FormatFlags,
    multiline::Multiline,
    parser::Parsers,
    pattern::Pattern,
    split::Split,
    time::{TimeFlags, TimeForm, TimeKey, Zone},
};
use self::{nested::Nested, parser::Parser, syntax::Syntax, time::TimeRule, wrapper::Wrapper};
use crate::format::record::{Parsed, Wrapped};

/// How the lines of an input are read; cheap to clone
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Format {
    /// A container runtime's, around the format of the app
    wrapper: Option<Wrapper>,
    parser: Parser,
    multiline: Option<Multiline>,
    charset: Charset,
    time: TimeRule,
}

impl Format {
    /// An error names the settings that exclude each other.
    fn new(parsers: Parsers, multiline: Option<Multiline>, charset: Charset, time: TimeFlags) -> Result<Self, String> {
        let name = parsers.to_string();
        let Parsers { wrapper, parser } = parsers;
        if multiline.is_some() && !parser.takes_several_lines() {
            return Err(format!("multiline joins no lines of format {name}, where each is a record: drop one of them"));
        }
        if time.name_a_field() && !parser.has_time_field() {
            return Err(format!(
                "format {name} has no field of your choice for the time: drop time-key and time-format, or use json, logfmt or regex"
            ));
        }
        Ok(Self { wrapper, parser, multiline, charset, time: time.into() })
    }

    /// Whether a record is its text and nothing else
    pub(crate) fn is_raw(&self) -> bool {
        self.wrapper.is_none() && matches!(self.parser, Parser::Raw)
    }

    /// Whether a container runtime has put words around the lines
    pub(crate) fn is_wrapped(&self) -> bool {
        self.wrapper.is_some()
    }

    /// Whether the text of the app is an object of JSON
    pub(crate) fn has_json_text(&self) -> bool {
        matches!(self.parser, Parser::Json)
    }

    /// Whether the app's format has fields
    pub(crate) fn has_fields(&self) -> bool {
        !matches!(self.parser, Parser::Raw)
    }

    /// Whether a record can consist of several lines, so that one that is complete may still go on.
    pub(crate) fn joins_lines(&self) -> bool {
        self.multiline.is_some() || self.is_wrapped()
    }

    /// How many bytes of whole lines are complete records, which later lines cannot change. Zero
    /// where the first record may continue. A caller that cannot wait (the file has ended or is
    /// quiet, or the record is too long) takes all lines as they are.
    pub(crate) fn extent(&self, bytes: &[u8]) -> usize {
        match (&self.multiline, self.syntax()) {
            (Some(_), Some(_)) => self.nested().map_or(0, |nested| nested.extent(bytes)),
            (Some(multiline), None) => multiline.extent(bytes, self.charset),
            (None, Some(syntax)) => parts::extent(syntax, bytes),
            (None, None) => bytes.len(),
        }
    }

    /// Where each record is among whole lines, in the order of their first lines. Where the lines
    /// of a container's two streams alternate, [`join`](Self::join) leaves out those of the other
    /// stream.
    pub(crate) fn split<'a>(&'a self, lines: &'a [u8]) -> Split<'a> {
        Split::new(self, lines)
    }

    /// The joined bytes of a record of several lines, if its parts must be joined before they are
    /// text.
    pub(crate) fn join(&self, record: &[u8]) -> Option<Vec<u8>> {
        match self.nested() {
            Some(nested) => nested.join(record),
            None => parts::join(self.syntax()?, record),
        }
    }

    /// The lines of a record, without those of the other stream that stand between them
    pub(crate) fn write_own_lines(&self, record: &[u8], out: &mut Vec<u8>) {
        match self.syntax() {
            Some(syntax) => parts::write_own_lines(syntax, record, out),
            None => out.extend_from_slice(record),
        }
    }

    /// A changed line of a record that had this number of lines, in the encoding of the file
    pub(crate) fn encode<'a>(&self, line: &'a str, lines: u64) -> Cow<'a, [u8]> {
        let bytes = self.charset.encode(line);
        if lines > 1 && self.wrapper == Some(Wrapper::Cri) { cri::whole(bytes) } else { bytes }
    }

    /// Whether a line can have parts, which may stand in two files.
    pub(crate) fn has_parts(&self) -> bool {
        self.is_wrapped()
    }

    /// How many first bytes of the next files belong to the records at the end of this one, if these are all of them.
    pub(crate) fn completion(&self, end: &[u8], next: &[u8]) -> Option<usize> {
        parts::completion(self.syntax()?, end, next)
    }

    /// Bytes as text, if they are all text as it is.
    pub(crate) fn as_text<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        self.charset.as_text(bytes)
    }

    /// The text of a record, and how many of its bytes had to be replaced.
    pub(crate) fn decode<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, str>, u64) {
        self.charset.decode(bytes)
    }

    /// The text of a record without its last newline, and without the carriage return before each
    /// newline.
    pub(crate) fn without_ends<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(lines) = text.strip_suffix('\n') else { return text.into() };
        let lines = lines.strip_suffix('\r').unwrap_or(lines);
        let has_returns = self.multiline.is_some() && memchr(b'\r', lines.as_bytes()).is_some();
        if has_returns { lines.replace("\r\n", "\n").into() } else { lines.into() }
    }

    /// The text of the app in a line, without its last newline; nothing if the line lacks the words
    /// of the container runtime.
    pub(crate) fn unwrap<'a>(&self, line: &'a str) -> Option<Wrapped<'a>> {
        let Some(wrapper) = self.wrapper else { return Some(Wrapped::bare(line)) };
        let mut app = wrapper.read(line)?;
        if self.multiline.is_some() && memchr(b'\r', app.text.as_bytes()).is_some() {
            app.text = app.text.replace("\r\n", "\n").into();
        }
        Some(app)
    }

    /// The line with another text of the app; nothing if the line lacks the words of a container
    /// runtime.
    pub(crate) fn rewrap(&self, line: &str, text: &str) -> Option<String> {
        self.wrapper?.rewrap(line, text)
    }

    /// The line of a container runtime without the text of the app and its time; the text stays if
    /// it is not where it should be.
    pub(crate) fn around(&self, line: &str, text: &str) -> String {
        self.wrapper.map(|wrapper| wrapper.around(line, Some(text))).unwrap_or_default()
    }

    /// The lines of a record, each without its part of the text of the app and its time
    pub(crate) fn around_parts(&self, lines: &[u8]) -> String {
        let Some(wrapper) = self.wrapper else { return String::new() };
        let (lines, _) = self.decode(lines);
        lines.lines().map(|line| wrapper.around(line, None) + "\n").collect()
    }

    /// Whether a container runtime writes its lines as JSON
    pub(crate) fn is_wrapped_in_json(&self) -> bool {
        self.wrapper == Some(Wrapper::Docker)
    }

    /// Reads the text of the app; nothing if it is not in this format.
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

    fn nested(&self) -> Option<Nested<'_>> {
        Some(Nested { wrapper: self.wrapper?, multiline: self.multiline.as_ref()?, charset: self.charset })
    }

    fn syntax(&self) -> Option<Syntax> {
        self.wrapper.map(Wrapper::syntax)
    }
}

#[cfg(test)]
mod tests;
