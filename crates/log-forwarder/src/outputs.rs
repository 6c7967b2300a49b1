//! The kinds of output, one file each. A new kind is a file, and a line in [`SCHEMES`].

mod file;
mod http;
mod tcp;
mod writing;

use std::{fmt::Display, time::Duration};

use futures_util::future::BoxFuture;
use url::Url;

use crate::{batch::Batch, encoding::Encoding, pool::Pool};

/// What has become of one attempt at a batch
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// All of it is there.
    Delivered,
    /// It will not be taken as it is, but parts of it may.
    Refused(String),
    /// Nothing is known to be there; it shall go again, after the time that the server asked for.
    Again { reason: String, after: Option<Duration> },
    /// Each record has an answer of its own. Numbers count them as [`Batch::records`] visits them; all others are there.
    Mixed { refused: Vec<(usize, String)>, again: Vec<usize>, reason: String, after: Option<Duration> },
    /// So many records are refused for good, and nobody says which.
    Partly { refused: u64, reason: String },
}

impl Attempt {
    pub(crate) fn again(reason: impl Display) -> Self {
        Self::Again { reason: format!("{reason}"), after: None }
    }
}

/// Where batches go; what holds connections lives here, from one attempt to the next
pub(crate) trait Output: Send {
    /// Tries once, within a time of its own.
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt>;
}

/// A kind of output
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
    /// When a line counts as delivered
    pub(crate) delivered: &'static str,
    /// The default
    pub(crate) encoding: Encoding,
    /// Makes one, without connecting; an error is a fault in the URL.
    pub(crate) open: fn(&Url, Encoding, &Pool) -> Opened,
}

/// An output, or what is wrong with its URL
pub(crate) type Opened = Result<Box<dyn Output>, String>;

/// All kinds
pub(crate) const SCHEMES: [Scheme; 4] = [file::STDOUT, file::FILE, tcp::SCHEME, http::SCHEME];
