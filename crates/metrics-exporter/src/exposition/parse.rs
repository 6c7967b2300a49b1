//! Parses a body into the model.

mod budget;
mod created;
mod cursor;
mod draft;
mod escapes;
mod families;
mod groups;
mod labels;
mod names;
mod number;
mod openmetrics;
mod protobuf;
mod text;

use bumpalo::Bump;

use crate::exposition::{
    page::{Bounds, Page, PageFault},
    page_format::PageFormat,
};

/// Parses a body. The page borrows from the body; slices and text that had to be unescaped are in the arena.
pub(crate) fn parse<'a>(
    arena: &'a Bump,
    format: PageFormat,
    body: &'a [u8],
    bounds: &Bounds,
) -> Result<Page<'a>, PageFault> {
    match format {
        PageFormat::Text => text::parse(arena, body, bounds),
        PageFormat::OpenMetrics => openmetrics::parse(arena, body, bounds),
        PageFormat::Protobuf => protobuf::parse(arena, body, bounds),
    }
}
