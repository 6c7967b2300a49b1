//! The kinds of output, one file each. A new kind is a file, and a line in [`SCHEMES`].

mod client;
mod compression;
mod dial;
pub(crate) mod elasticsearch;
pub(crate) mod encoding;
mod file;
mod final_status;
pub(crate) mod forward;
mod http;
pub(crate) mod loki;
mod oneway;
pub(crate) mod otlp;
mod patience;
mod proxy;
mod syslog;
mod tcp;
mod writing;

use std::{fmt::Display, time::Duration};

use endpoint::Options;
use futures_util::future::BoxFuture;
use url::Url;

pub(crate) use self::{
    patience::Patience,
    writing::{has_name, open_lines},
};
use crate::{
    own_files::OwnFiles,
    records::{batch::Batch, pool::Pool, span::Source},
};

/// Options of every output
pub(crate) const OPTIONS_OF_ALL: [&str; 3] = {
    let [retry_limit, retry_age] = patience::OPTIONS;
    ["name=NAME", retry_limit, retry_age]
};

/// The result of one attempt at a batch
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// All of it is there.
    Delivered,
    /// The server does not take the batch as it is, but may take parts of it.
    Refused(String),
    /// Nothing is known to be there; it shall go again, after the time that the server asked for.
    Again { reason: String, after: Option<Duration> },
    /// Each record has an answer of its own. Numbers count records over all spans as
    /// [`Span::records`] visits them. Records that are not listed are delivered.
    Mixed { refused: Vec<(usize, String)>, again: Vec<usize>, reason: String, after: Option<Duration> },
    /// This number of records is refused for good, and the answer does not say which.
    Partly { refused: u64, reason: String },
}

impl Attempt {
    pub(crate) fn again(reason: impl Display) -> Self {
        Self::Again { reason: format!("{reason}"), after: None }
    }

    /// The same for a batch of which all records but these are there
    fn only_for(self, numbers: &[usize]) -> Self {
        match self {
            Self::Again { reason, after } => {
                Self::Mixed { refused: Vec::new(), again: numbers.to_vec(), reason, after }
            }
            other => other,
        }
    }

    /// The same, with each reason changed.
    fn with_reasons(self, text: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Delivered => Self::Delivered,
            Self::Refused(reason) => Self::Refused(text(&reason)),
            Self::Again { reason, after } => Self::Again { reason: text(&reason), after },
            Self::Partly { refused, reason } => Self::Partly { refused, reason: text(&reason) },
            Self::Mixed { mut refused, again, reason, after } => {
                for (_, reason) in &mut refused {
                    *reason = text(reason);
                }
                Self::Mixed { refused, again, reason: text(&reason), after }
            }
        }
    }
}

/// Where batches go; what holds connections lives here, from one attempt to the next
pub(crate) trait Output: Send {
    /// Tries once, within a time of its own.
    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Attempt>;

    /// Whether lines are gathered before it gets them, of several files in one batch, because its
    /// receiver pays for each request. Another output gets each span alone and at once.
    fn gathers(&self) -> bool {
        false
    }

    /// Whether spans of two sources may stand in one batch.
    fn joins(&self, _first: &Source, _next: &Source) -> bool {
        true
    }
}

/// A kind of output
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
    /// When a line counts as delivered
    pub(crate) delivered: &'static str,
    /// The options that its fragment takes, each with an example of its value
    pub(crate) options: &'static [&'static str],
    /// Those that it shares with other kinds
    pub(crate) shared: &'static [OptionGroup],
    /// Makes one, without connecting; an error is a fault in the URL or its options.
    pub(crate) open: fn(&mut Setup) -> Opened,
}

/// Options that several kinds take
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OptionGroup {
    /// Their name: "TLS"
    pub(crate) name: &'static str,
    pub(crate) options: &'static [&'static str],
}

/// The parts that an output is made from
pub(crate) struct Setup<'a> {
    pub(crate) url: &'a Url,
    /// Each kind takes its own; one that is left over is an error.
    pub(crate) options: Options,
    pub(crate) pool: &'a Pool,
    /// Where an output says which file it writes
    pub(crate) own_files: &'a OwnFiles,
}

/// An output, or the fault of its URL
pub(crate) type Opened = Result<Box<dyn Output>, String>;

/// All kinds
pub(crate) const SCHEMES: [Scheme; 17] = [
    file::STDOUT,
    file::FILE,
    tcp::TCP,
    tcp::TLS,
    http::HTTP,
    http::HTTPS,
    elasticsearch::HTTP,
    elasticsearch::HTTPS,
    loki::HTTP,
    loki::HTTPS,
    syslog::UDP,
    syslog::TCP,
    syslog::TLS,
    forward::PLAIN,
    forward::TLS,
    otlp::HTTP,
    otlp::HTTPS,
];

impl Scheme {
    /// An output of this kind. An option that no reader took is an error that names the nearest
    /// known one.
    pub(crate) fn open(&self, mut setup: Setup) -> Opened {
        let output = (self.open)(&mut setup)?;
        let name = self.name;
        let secure_names = [format!("{name}s"), format!("{name}+tls"), name.replace("tcp", "tls")];
        let secure =
            SCHEMES.iter().find(|other| other.name != name && secure_names.iter().any(|name| name == other.name));
        let advice = secure.map(|secure| format!("write {}://", secure.name));
        let known: Vec<_> = secure.unwrap_or(self).option_names().collect();
        setup.options.finish(self.name, &known, advice.as_deref())?;
        Ok(output)
    }

    /// Whether it sends the query of its URL
    pub(crate) fn sends_query(&self) -> bool {
        ["http", "https"].contains(&self.name.rsplit('+').next().unwrap_or_default())
    }

    /// The names of its options
    pub(crate) fn option_names(&self) -> impl Iterator<Item = &'static str> {
        let shared = self.shared.iter().flat_map(|shared| shared.options);
        let all = self.options.iter().chain(shared).chain(&OPTIONS_OF_ALL);
        all.map(|option| option.split_once('=').map_or(*option, |(name, _)| name))
    }
}
