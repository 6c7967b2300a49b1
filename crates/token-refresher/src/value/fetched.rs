//! The answer of a source.

use std::time::Duration;

use crate::value::fields::Fields;

/// What a source got
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) fields: Fields,
    /// How long the values are valid, counted from the start of the request; `None` where nothing says so
    pub(crate) life: Option<Duration>,
    /// Whether the source can prolong the life of these values
    pub(crate) renewable: bool,
}
