//! The lines of a container runtime, each of which is a line of the app or a part of one.

use std::ops::Range;

use super::time;

/// One line of the file
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) stream: Stream,
    /// The app's line goes on in the next part of the same stream.
    pub(super) is_partial: bool,
    /// Where the bytes of the app are in the line
    pub(super) content: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Nanoseconds between two lines that no record spans: a runtime writes the parts of a line, and an app a stack trace, within
/// milliseconds.
pub(super) const GAP: i64 = 1_000_000_000;

/// How a runtime writes its lines
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    /// Reads a line of the file; nothing if it has another form.
    pub(super) part: fn(&[u8]) -> Option<Part>,
    /// Where the time of a line is, if it has one there
    pub(super) time_place: fn(&[u8]) -> Option<Range<usize>>,
}

impl Syntax {
    /// When a line was written, in nanoseconds since 1970
    pub(super) fn time(self, line: &[u8]) -> Option<i64> {
        time::parse(str::from_utf8(&line[(self.time_place)(line)?]).ok()?)
    }

    /// Whether a line is too young to belong to a record of which the last part was written then. An app may write half a line
    /// and rest: without this bound it would hold up the other stream.
    pub(super) fn is_apart(self, last: Option<i64>, line: &[u8]) -> bool {
        let (Some(last), Some(time)) = (last, self.time(line)) else { return false };
        time.saturating_sub(last) > GAP
    }
}
