//! Why bytes are lost, as the metric and the log name it.

use std::fmt;

/// Why an output never gets some bytes of a file
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LossReason {
    /// The file was truncated or written over, and no copy of its content was found.
    Truncated,
    /// The copy of a truncated file ends before these bytes: they were written between the copy and the truncation.
    NotCopied,
    /// The file vanished while this program did not run.
    GoneWhileDown,
    /// The file vanished while it was not open: it could not be opened, or waited for a descriptor.
    GoneUnread,
    /// The deleted files together have more bytes than `--max-pinned`.
    OverMaxPinned,
    /// The end of a line that is longer than `--max-line`
    TooLong,
    /// The configuration names the output no more.
    OutputRemoved,
}

impl LossReason {
    /// The value of the label `reason`
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NotCopied => "not copied",
            Self::GoneWhileDown => "gone while not running",
            Self::GoneUnread => "gone while it could not be read",
            Self::OverMaxPinned => "over --max-pinned",
            Self::TooLong => "longer than --max-line",
            Self::OutputRemoved => "output removed",
        }
    }
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
