//! The signals that an app may be told with.

use rustix::process::Signal;
use schemars::JsonSchema;
use serde::Deserialize;

/// A signal by its usual name
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum SignalName {
    /// Reload, by the custom of daemons
    #[serde(alias = "SIGHUP")]
    Hup,
    #[serde(alias = "SIGINT")]
    Int,
    #[serde(alias = "SIGQUIT")]
    Quit,
    /// End, so that Kubernetes starts the app's container again
    #[serde(alias = "SIGTERM")]
    Term,
    #[serde(alias = "SIGUSR1")]
    Usr1,
    #[serde(alias = "SIGUSR2")]
    Usr2,
    #[serde(alias = "SIGWINCH")]
    Winch,
    #[serde(alias = "SIGCONT")]
    Cont,
}

impl SignalName {
    /// As it is written in a configuration
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Hup => "HUP",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Term => "TERM",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
            Self::Winch => "WINCH",
            Self::Cont => "CONT",
        }
    }

    pub(super) fn number(self) -> Signal {
        match self {
            Self::Hup => Signal::HUP,
            Self::Int => Signal::INT,
            Self::Quit => Signal::QUIT,
            Self::Term => Signal::TERM,
            Self::Usr1 => Signal::USR1,
            Self::Usr2 => Signal::USR2,
            Self::Winch => Signal::WINCH,
            Self::Cont => Signal::CONT,
        }
    }

    /// What the signal does to a process without a handler for it: signal(7)
    pub(super) fn default_action(self) -> DefaultAction {
        match self {
            Self::Hup | Self::Usr1 | Self::Usr2 => DefaultAction::EndsUnasked,
            Self::Winch => DefaultAction::Nothing,
            Self::Int | Self::Quit | Self::Term => DefaultAction::Ends,
            Self::Cont => DefaultAction::Continues,
        }
    }
}

/// What a signal does to a process without a handler for it
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultAction {
    /// It ends the process, though it is sent to make it reload.
    EndsUnasked,
    /// It ends the process, as it is meant to.
    Ends,
    Continues,
    Nothing,
}
