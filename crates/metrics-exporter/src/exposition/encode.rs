//! Writes families in a format.

mod claims;
mod fitness;
mod number;
mod openmetrics;
mod protobuf;
mod text;
mod writer;

use crate::exposition::{model::Family, page::Note, page_format::PageFormat};

/// Appends the families to the page, which is valid for any families of the model. Returns notes about the series that the format
/// cannot hold, which are left out.
pub(crate) fn encode(families: &[Family], format: PageFormat, page: &mut Vec<u8>) -> Vec<Note> {
    match format {
        PageFormat::Text => text::encode(families, page),
        PageFormat::OpenMetrics => openmetrics::encode(families, page),
        PageFormat::Protobuf => protobuf::encode(families, page),
    }
}

/// The bound of a bucket, or a quantile, as the value of its label in text format 0.0.4.
pub(crate) fn bound_text(bound: f64) -> String {
    let mut text = Vec::new();
    number::write_bound(bound, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
