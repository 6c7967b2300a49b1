//! An entry of `tell:`, as it is written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::signal_name::SignalName;

/// One way in which the app is told of a new value: `signal` or `touch`, with the keys that belong to it
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TellEntry {
    /// Send this signal to a process in the pod's shared PID namespace
    pub(super) signal: Option<SignalName>,
    /// The process that gets the signal, by its name: the oldest one that has it
    pub(super) process: Option<String>,
    /// The process that gets the signal, by a part of its command line: the oldest one that has it
    pub(super) command_line: Option<String>,
    /// Create this empty file, or move its modification time
    pub(super) touch: Option<PathBuf>,
}
