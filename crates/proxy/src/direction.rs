//! Which way a listener faces.

use clap::ValueEnum;

/// Which way a listener faces: the two end differently
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// In front of the app: at a stop it serves for --drain-delay, then closes
    Inbound,
    /// On the app's way out: at a stop it serves until the app has gone, or no client is left
    Outbound,
}
