//! The fault of a source that gave no page: a reason for metrics, and a text for people.

use std::io::ErrorKind;

use endpoint::Failure;

use crate::{
    exposition::page::{LACKS_MEMORY, PageFault},
    page_memory::NoRoom,
};

/// The fault of a source that gave no page
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchFault {
    pub(crate) reason: Reason,
    /// A text for the log and `/debug/merge`, without anything that may be a secret
    pub(crate) text: String,
}

/// The kind of a fault. The set is closed, because each is the value of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    Dns,
    Refused,
    Unreachable,
    TimedOut,
    Tls,
    /// A file that the URL's options name cannot be read, for example the token's.
    File,
    HttpStatus,
    Redirect,
    /// The URL leads back to this exporter.
    Loop,
    ContentType,
    NoMetrics,
    TwoLengths,
    /// The answer is cut off, or breaks HTTP's rules.
    BadAnswer,
    BadEncoding,
    TooLarge,
    /// The page needs more memory than is left.
    Memory,
    /// The body breaks its format's rules.
    Malformed,
    /// The body makes the exporter panic.
    Bug,
}

impl Reason {
    /// The value of the label `reason`
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Tls => "tls",
            Self::File => "file",
            Self::HttpStatus => "http_status",
            Self::Redirect => "redirect",
            Self::Loop => "loop",
            Self::ContentType => "content_type",
            Self::NoMetrics => "no_metrics",
            Self::TwoLengths => "two_lengths",
            Self::BadAnswer => "bad_answer",
            Self::BadEncoding => "bad_encoding",
            Self::TooLarge => "too_large",
            Self::Memory => "memory",
            Self::Malformed => "malformed",
            Self::Bug => "bug",
        }
    }
}

impl FetchFault {
    pub(crate) fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into() }
    }

    /// The fault of a page for which the memory does not suffice.
    fn too_little_memory() -> Self {
        let text = "its page takes more memory than is left: raise the container's memory limit or --max-memory, or leave \
                    series out at the source";
        Self::new(Reason::Memory, text)
    }
}

impl From<Failure> for FetchFault {
    fn from(failure: Failure) -> Self {
        let reason = match &failure {
            Failure::UnknownName(_) | Failure::NoDnsAnswer(_) | Failure::NotAskedYet(_) | Failure::Lookup { .. } => {
                Reason::Dns
            }
            Failure::Refused => Reason::Refused,
            Failure::Silent => Reason::TimedOut,
            Failure::Tls(_) | Failure::ClientCertificate(_) | Failure::HandshakeCut => Reason::Tls,
            Failure::File { .. } => Reason::File,
            Failure::Reset | Failure::Io { kind: ErrorKind::UnexpectedEof | ErrorKind::InvalidData, .. } => {
                Reason::BadAnswer
            }
            Failure::NoRoute
            | Failure::NoNetwork
            | Failure::NoLocalAddress
            | Failure::ProxyRefused(_)
            | Failure::Io { .. } => Reason::Unreachable,
        };
        Self { reason, text: failure.to_string() }
    }
}

impl From<NoRoom> for FetchFault {
    fn from(fault: NoRoom) -> Self {
        match fault {
            NoRoom::Limit(bytes) => {
                let text = format!("its body is longer than {bytes} bytes, the limit by --max-source-size");
                Self::new(Reason::TooLarge, text)
            }
            NoRoom::Memory => Self::too_little_memory(),
        }
    }
}

impl From<PageFault> for FetchFault {
    fn from(fault: PageFault) -> Self {
        if fault.fault == LACKS_MEMORY {
            return Self::too_little_memory();
        }
        Self::new(Reason::Malformed, format!("its page breaks the rules of its format: {fault}"))
    }
}
