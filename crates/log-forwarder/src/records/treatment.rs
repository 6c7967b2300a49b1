//! How the files of an input are read.

use crate::format::Format;

/// How the lines of an input are read, and the fields that each record carries
#[derive(Clone, Debug, Default)]
pub(crate) struct Treatment {
    pub(crate) format: Format,
    /// Whether files that are compressed are read
    pub(crate) reads_compressed: bool,
    /// Names and values: those of the pod, and `--field`
    pub(crate) attributes: Vec<(String, String)>,
}
