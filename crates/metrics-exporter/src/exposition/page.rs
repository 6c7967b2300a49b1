//! The result of parsing a page, the notes of parsers and encoders, and the bounds of a page.

use crate::exposition::model::Family;

/// A parsed page
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// Each name once
    pub(crate) families: Vec<Family<'a>>,
    /// The faults that cost single series or metadata, and not the page
    pub(crate) notes: Vec<Note>,
    /// Bytes of memory that the page needs beyond its body, up to the finished page; an estimate from above
    pub(crate) cost: usize,
}

/// The series of one family that are left out for one reason
///
/// Texts have a bounded length, and a page has a bounded number of notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The name of the family
    pub(crate) family: String,
    /// A text from a small fixed set
    pub(crate) reason: &'static str,
    /// The first of these series, with its labels, or the two contradicting values
    pub(crate) example: String,
    /// The number of these series
    pub(crate) series: usize,
}

/// The reason why a body is no page
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub(crate) struct PageFault {
    /// The number of the line, from 1; in protobuf of the message
    pub(crate) line: usize,
    /// The fault, without content of the page
    pub(crate) fault: String,
}

/// The fault of a page that needs more memory than its bounds allow
pub(crate) const LACKS_MEMORY: &str = "more memory than is left";

/// The bounds of a page
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The most series, in which each bucket and quantile counts as one, as in text. With more the body is no page.
    pub(crate) series: usize,
    /// The most labels of one series
    pub(crate) labels: usize,
    /// The most bytes of the name or the value of a label
    pub(crate) label_bytes: usize,
    /// The most bytes of memory, without the body
    pub(crate) memory: usize,
}

impl Bounds {
    /// Bounds with this number of series and the usual bounds of labels.
    pub(crate) const fn of_series(series: usize) -> Self {
        Self { series, labels: LABEL_LIMIT, label_bytes: LABEL_BYTES_LIMIT, memory: usize::MAX }
    }
}

/// The most labels of one series. Prometheus has no limit of its own; good practice is far fewer.
const LABEL_LIMIT: usize = 64;
/// The most bytes of a label's name or value. A stack trace fits.
const LABEL_BYTES_LIMIT: usize = 16 * 1024;
