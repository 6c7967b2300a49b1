//! The state of one target.

use serde::Serialize;

/// Where one target stands
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    #[serde(rename = "target")]
    pub(crate) label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    pub(crate) state: State,
    /// The kind of the last refusal; none without one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<&'static str>,
    /// The last proof or refusal
    #[serde(rename = "last")]
    pub(crate) reason: String,
    pub(crate) attempts: u64,
    /// From the start to the moment it was decided
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
}

/// How far a target has come
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Waiting,
    Ready,
    Never,
    /// Another target of its group is ready
    NotNeeded,
}

impl Row {
    /// Whether the wait goes on for it, or has ended in vain
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.state, State::Waiting | State::Never)
    }
}
