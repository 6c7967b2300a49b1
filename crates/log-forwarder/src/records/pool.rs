//! Buffers that are used again: fresh ones would cost a page fault every 4 KiB, which is more than
//! reading them.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

/// Buffers that are kept; one being filled and one being sent for each of two outputs
const KEPT: usize = 4;
/// Below this a buffer is as fast from the allocator, and above it is too much to keep. The body of
/// a batch of 1 MiB has two or three.
const WORTH_KEEPING: std::ops::RangeInclusive<usize> = 128 * 1024..=4 * 1024 * 1024;

/// Where buffers come from and return to
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

/// Bytes that return to their pool
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    pool: Pool,
}

impl Pool {
    /// A buffer of at least this many bytes, with any content.
    pub(crate) fn filled(&self, length: usize) -> Buffer {
        let mut bytes = if WORTH_KEEPING.contains(&length) { self.take() } else { Vec::new() };
        if bytes.len() < length {
            bytes.resize(length, 0);
        }
        Buffer { bytes, pool: self.clone() }
    }

    /// An empty buffer with room for about this many bytes.
    pub(crate) fn empty(&self, room: usize) -> Buffer {
        let mut bytes = if WORTH_KEEPING.contains(&room) { self.take() } else { Vec::new() };
        bytes.clear();
        bytes.reserve(room);
        Buffer { bytes, pool: self.clone() }
    }

    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }
}

impl Buffer {
    /// Gives back the room behind this many bytes, unless the buffer comes from a pool: a batch may
    /// be of thousands of short files.
    pub(crate) fn fit(&mut self, length: usize) {
        if self.bytes.capacity() < *WORTH_KEEPING.start() {
            self.bytes.truncate(length);
            self.bytes.shrink_to_fit();
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if WORTH_KEEPING.contains(&bytes.capacity()) {
            let mut kept = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT {
                kept.push(bytes);
            }
        }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
