//! An open file of the model.

use std::io;

use super::{Model, Number, Stored};
use crate::content::volume::{Handle, Stat};

/// A descriptor, which counts among those of its file
#[derive(Debug)]
pub(super) struct Open {
    model: Model,
    number: Number,
}

impl Open {
    pub(super) fn new(model: Model, number: Number) -> Self {
        Self { model, number }
    }
}

impl Handle for Open {
    fn stat(&self) -> io::Result<Stat> {
        Ok(self.model.asked().stat(self.number))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.model.asked();
        let Some(Stored { bytes, is_damaged, unsteady, .. }) = state.files.get_mut(&self.number) else { return Ok(0) };
        if *is_damaged {
            return Err(io::Error::other("input/output error"));
        }
        if let Some(reads) = unsteady {
            *reads = (*reads + 1) % 1000;
            bytes[..3].copy_from_slice(format!("{reads:03}").as_bytes());
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        Ok(offset)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.model.state().change(self.number, |file| file.opens -= 1);
    }
}
