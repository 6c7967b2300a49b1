//! Where the bytes of a file lie: as they are, or in a file that was compressed since.

pub(crate) mod beginnings;
pub(crate) mod copies;
mod decoder;
pub(crate) mod fingerprint;
pub(crate) mod foreign;
pub(crate) mod measure;
pub(crate) mod opening;
#[cfg(test)]
pub(crate) mod probe;
pub(crate) mod search;
pub(crate) mod unpacked;
pub(crate) mod volume;
pub(crate) mod zeros;

use std::{io, sync::Arc};

use self::{
    unpacked::Unpacked,
    volume::{Handle, Stat},
};

/// Where the bytes of a file lie
#[derive(Debug)]
pub(crate) enum Content {
    Plain(Arc<dyn Handle>),
    /// It cannot grow any more.
    Packed(Unpacked),
}

impl Content {
    /// Of the file as it lies on the disk
    pub(crate) fn stat(&self) -> io::Result<Stat> {
        match self {
            Self::Plain(file) => file.stat(),
            Self::Packed(unpacked) => unpacked.stat(),
        }
    }

    /// Reads until the buffer is full or the content ends.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buffer, offset),
            Self::Packed(unpacked) => unpacked.read_at(buffer, offset),
        }
    }

    pub(crate) fn is_packed(&self) -> bool {
        matches!(self, Self::Packed(_))
    }
}
