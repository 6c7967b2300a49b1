//! An entry of `tell:`, as it is written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{method::Method, request_url::RequestUrl, signal_name::SignalName, statuses::Statuses};

/// One way in which the app is told of a new value: `signal`, `request` or `touch`, with the keys that belong to it
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TellEntry {
    /// Send this signal to a process in the pod's shared PID namespace
    pub(super) signal: Option<SignalName>,
    /// The process that gets the signal, by its name: the oldest one that has it
    pub(super) process: Option<String>,
    /// The process that gets the signal, by a part of its command line: the oldest one that has it
    pub(super) command_line: Option<String>,
    /// Send a request to this URL until the answer has an expected status
    pub(super) request: Option<RequestUrl>,
    /// The method of the request; POST by default
    pub(super) method: Option<Method>,
    /// The status of the answer by which the app says that it was told, or a list of them; any 2xx by default
    pub(super) expect: Option<Statuses>,
    /// Create this empty file, or move its modification time
    pub(super) touch: Option<PathBuf>,
}
