//! Settings of a volume that are one of a few words.

use schemars::JsonSchema;
use serde::Deserialize;

/// When a tree is trusted without a look
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Policy {
    /// Never
    #[default]
    Always,
    /// When the root is right, as with the kubelet's `OnRootMismatch`
    RootMatch,
    /// When the root is right and says that a run has finished
    Stamp,
}

/// The treatment of files with names outside the tree
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HardLinkRule {
    /// They are left alone and reported
    #[default]
    Leave,
    /// They are changed
    Allow,
}

/// How a refusal counts
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnDenied {
    /// A failure
    #[default]
    Fail,
    /// Worth a warning
    Warn,
    /// A failure, unless the wanted owner can already read and write
    Accessible,
}
