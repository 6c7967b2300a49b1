//! One way in which an app is told: the table of ways.

use std::path::PathBuf;

use super::{entry::TellEntry, process::Wanted, signal::SignalTell, touch::TouchTell};

/// A way in which an app is told of a new value
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Signal(SignalTell),
    Touch(TouchTell),
}

impl Way {
    /// The way that an entry means, or its fault.
    pub(crate) fn of(entry: &TellEntry) -> Result<Self, String> {
        let TellEntry { signal, process, command_line, touch } = entry.clone();
        match (signal, touch) {
            (Some(signal), None) => {
                let wanted = match (process, command_line) {
                    (Some(name), None) => Wanted::Name(not_empty(name)?),
                    (None, Some(text)) => Wanted::CommandLine(not_empty(text)?),
                    (None, None) => return Err("a signal needs a process: add process or command-line".into()),
                    (Some(_), Some(_)) => {
                        return Err("a signal goes to one process: write process or command-line, not both".into());
                    }
                };
                Ok(Self::Signal(SignalTell { signal, wanted, proc: PathBuf::from("/proc") }))
            }
            (None, Some(path)) => {
                if process.is_some() || command_line.is_some() {
                    return Err("process and command-line belong to a signal".into());
                }
                if !path.is_absolute() || path.file_name().is_none() {
                    return Err("touch needs the absolute path of a file".into());
                }
                Ok(Self::Touch(TouchTell { path }))
            }
            _ => Err("an entry of tell is one way: write signal or touch".into()),
        }
    }

    /// The label `way` in metrics
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Signal(_) => "signal",
            Self::Touch(_) => "touch",
        }
    }

    /// What is done, for logs and `explain`
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Signal(tell) => format!("{} to the oldest process {}", tell.signal.text(), tell.wanted),
            Self::Touch(tell) => format!("touch {}", tell.path.display()),
        }
    }

    /// Tells the app once, within a deadline of its own. The reason of a failure holds no secret.
    pub(super) async fn tell(&self) -> Result<(), String> {
        match self {
            Self::Signal(tell) => tell.tell().await,
            Self::Touch(tell) => tell.tell().await,
        }
    }

    /// Who would be told now, or why nobody: lines for `explain`. Tells nobody.
    pub(crate) fn explain(&self) -> Vec<String> {
        match self {
            Self::Signal(tell) => tell.explain(),
            Self::Touch(_) => Vec::new(),
        }
    }
}

fn not_empty(text: String) -> Result<String, String> {
    if text.is_empty() { Err("an empty text would match every process".into()) } else { Ok(text) }
}
