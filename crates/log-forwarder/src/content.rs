//! Where the bytes of a generation lie: in a file as they are, or in one that was compressed since.

pub(crate) mod identity;
pub(crate) mod opening;
pub(crate) mod unpacked;

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::FileExt,
};

use crate::content::unpacked::Unpacked;

/// Where the bytes of a generation lie
#[derive(Debug)]
pub(crate) enum Content {
    Plain(File),
    /// It can't grow any more.
    Packed(Unpacked),
}

impl Content {
    /// Of the file as it lies on the disk
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        match self {
            Self::Plain(file) => file.metadata(),
            Self::Packed(unpacked) => unpacked.metadata(),
        }
    }

    /// Reads until the buffer is full or the content ends.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => read_file_at(file, buffer, offset),
            Self::Packed(unpacked) => unpacked.read_at(buffer, offset),
        }
    }
}

fn read_file_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], offset + length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
