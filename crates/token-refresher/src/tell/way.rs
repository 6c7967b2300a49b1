//! One way in which an app is told: the table of ways.

use std::path::PathBuf;

use super::{
    entry::TellEntry, process::Wanted, request::RequestTell, request_url::RequestUrl, signal::SignalTell,
    touch::TouchTell,
};

/// A way in which an app is told of a new value
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Signal(SignalTell),
    Request(RequestTell),
    Touch(TouchTell),
}

impl Way {
    /// The way that an entry means, or its fault.
    pub(crate) fn of(entry: &TellEntry) -> Result<Self, String> {
        let TellEntry { signal, process, command_line, request, method, expect, touch } = entry.clone();
        if signal.is_none() && (process.is_some() || command_line.is_some()) {
            return Err("process and command-line belong to a signal".into());
        }
        if request.is_none() && (method.is_some() || expect.is_some()) {
            return Err("method and expect belong to a request".into());
        }
        match (signal, request, touch) {
            (Some(signal), None, None) => {
                let wanted = wanted(process, command_line)?;
                Ok(Self::Signal(SignalTell { signal, wanted, proc: PathBuf::from("/proc") }))
            }
            (None, Some(RequestUrl(client)), None) => {
                let (method, expected) = (method.unwrap_or_default(), expect.unwrap_or_default());
                Ok(Self::Request(RequestTell { client, method, expected }))
            }
            (None, None, Some(path)) if path.is_absolute() && path.file_name().is_some() => {
                Ok(Self::Touch(TouchTell { path }))
            }
            (None, None, Some(_)) => Err("touch needs the absolute path of a file".into()),
            _ => Err("an entry of tell is one way: write signal, request or touch".into()),
        }
    }

    /// The files that the helper reads to tell the app: those of the options of a URL
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Request(tell) => tell.client.files().map(PathBuf::from).collect(),
            Self::Signal(_) | Self::Touch(_) => Vec::new(),
        }
    }

    /// The label `way` in metrics
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Signal(_) => "signal",
            Self::Request(_) => "request",
            Self::Touch(_) => "touch",
        }
    }

    /// What is done, for logs and `explain`
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Signal(tell) => format!("{} to the oldest process {}", tell.signal.text(), tell.wanted),
            Self::Request(tell) => tell.label(),
            Self::Touch(tell) => format!("touch {}", tell.path.display()),
        }
    }

    /// Tells the app once, within a deadline of its own. The reason of a failure holds no secret.
    pub(super) async fn tell(&self) -> Result<(), String> {
        match self {
            Self::Signal(tell) => tell.tell().await,
            Self::Request(tell) => tell.tell().await,
            Self::Touch(tell) => tell.tell().await,
        }
    }

    /// Who would be told now, or why nobody: lines for `explain`. Tells nobody.
    pub(crate) fn explain(&self) -> Vec<String> {
        match self {
            Self::Signal(tell) => tell.explain(),
            Self::Request(_) | Self::Touch(_) => Vec::new(),
        }
    }
}

fn wanted(process: Option<String>, command_line: Option<String>) -> Result<Wanted, String> {
    match (process, command_line) {
        (Some(name), None) => Ok(Wanted::Name(not_empty(name)?)),
        (None, Some(text)) => Ok(Wanted::CommandLine(not_empty(text)?)),
        (None, None) => Err("a signal needs a process: add process or command-line".into()),
        (Some(_), Some(_)) => Err("a signal goes to one process: write process or command-line, not both".into()),
    }
}

fn not_empty(text: String) -> Result<String, String> {
    if text.is_empty() { Err("an empty text would match every process".into()) } else { Ok(text) }
}
