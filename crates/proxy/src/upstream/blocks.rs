//! The blocks of fields that an HTTP/2 upstream sends, as they are on the wire.

use std::io;

use crate::frames::{Frames, Kind};

/// Bytes of a block. h2 drops a field that its limit has no room for and says nothing where the
/// block is one of trailers. A field that takes three quarters of that limit has more bytes than
/// this, also when it is compressed, so that the fields before it show that there were too many.
const LONGEST: u32 = 112 * 1024;

/// The error of a connection whose heads are too long: a kind of its own, because h2 keeps no more
/// of an error, and those of TLS, for example alerts, are `InvalidData`
pub(crate) const TOO_LONG: io::ErrorKind = io::ErrorKind::FileTooLarge;

/// Follows the blocks
pub(super) struct Blocks {
    frames: Frames,
    length: u32,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self { frames: Frames::of_server(), length: 0 }
    }

    /// Goes on through these bytes. Returns whether they belong to a block that is too long.
    pub(super) fn are_too_long(&mut self, bytes: &[u8]) -> bool {
        let Self { frames, length } = self;
        let mut are_too_long = false;
        frames.pass(bytes, |frame| {
            if frame.kind == Kind::Headers {
                *length = 0;
            }
            if frame.is_of_head() {
                *length = length.saturating_add(frame.length);
                are_too_long |= *length > LONGEST;
            }
        });
        are_too_long
    }
}
