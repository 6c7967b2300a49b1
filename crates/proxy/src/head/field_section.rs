//! The size of a section of fields: those of a head, or trailers.

use http::HeaderMap;

/// Bytes that each field counts beyond its name and value
const FIELD: usize = 32;

/// Its bytes as RFC 9113, section 6.5.2 counts them
pub(crate) fn size(fields: &HeaderMap) -> usize {
    fields.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD).sum()
}
