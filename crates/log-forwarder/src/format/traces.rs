//! The stack traces of some languages, by the form of the lines that their runtimes print.
//!
//! In all of them a line that is blank or begins with a blank goes on with the record before it.

mod go;
mod java;
mod python;
mod rust;

/// Whose traces are to be joined
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Java,
    Python,
    Go,
    Rust,
}

/// The lines that the line before allows
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing
    #[default]
    Plain,
    /// Any other line, because the line before is the first of two
    Half,
    /// More lines of the message with which a trace begins, or its frames
    Message,
    /// Within the frames of a trace
    Frames,
    /// Behind the error with which a trace of Python ends
    Ended,
}

/// The place of a line in a record
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The first of a record
    Begins,
    /// Another line of the same record
    GoesOn,
    /// Another line of the same record if one of this many lines behind it is of a trace; if not,
    /// the first of a record
    Depends(usize),
}

/// Lines of a message that are looked through for the frames behind it; longer messages than that
/// are rare.
const LONGEST_MESSAGE: usize = 16;

impl Language {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Python => "python",
            Self::Go => "go",
            Self::Rust => "rust",
        }
    }

    /// Judges a line without its newline. The state behind a line that begins a record depends on
    /// that line alone; one that [depends](Verdict::Depends) on others leaves the state as it is.
    pub(super) fn judge(self, state: &mut State, line: &[u8]) -> Verdict {
        match self {
            Self::Java => java::judge(state, line),
            Self::Python => python::judge(state, line),
            Self::Go => go::judge(state, line),
            Self::Rust => rust::judge(state, line),
        }
    }

    /// Whether a line shows that those before it are of a trace, or that they are not.
    pub(super) fn shows_trace(self, line: &[u8]) -> Option<bool> {
        match self {
            Self::Java => java::shows_trace(line),
            Self::Python => Some(python::shows_trace(line)),
            Self::Go => Some(false),
            Self::Rust => rust::shows_trace(line),
        }
    }
}

fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b' ' | b'\t'))
}

fn starts_with_any(line: &[u8], starts: &[&[u8]]) -> bool {
    starts.iter().any(|start| line.starts_with(start))
}

/// Whether a line begins as those of loggers do: with a time, a bracket or a level.
fn begins_as_logged(line: &[u8]) -> bool {
    const LEVELS: [&[u8]; 9] =
        [b"TRACE", b"DEBUG", b"INFO", b"NOTICE", b"WARN", b"ERROR", b"FATAL", b"SEVERE", b"CRITICAL"];
    begins_apart(line) || starts_with_any(line, &LEVELS)
}

/// Whether the first byte of a line is one of times and brackets.
fn begins_apart(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'0'..=b'9' | b'[' | b'{' | b'<'))
}

/// The first lines of records
#[cfg(test)]
fn heads(language: Language, text: &str) -> Vec<&str> {
    let multiline = super::Multiline::Language(language);
    let (mut reader, mut from, mut found) = (multiline.reader(super::Charset::default()), 0, Vec::new());
    while let Some(end) = reader.record_end(text.as_bytes(), from) {
        found.extend(text[from..].lines().next());
        from = end.at;
    }
    found
}
