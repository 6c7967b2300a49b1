//! A compressed file, read as if it were plain: each reader continues where it was, and starts again only to go back.

use std::{cell::RefCell, io, sync::Arc};

use super::{
    decoder::Decoder,
    volume::{Handle, Stat},
};

/// Readers of one file that are kept; with more outputs than this, at as many places, some start again.
const READERS: usize = 4;

/// A compressed file
#[derive(Debug)]
pub(crate) struct Unpacked {
    file: Arc<dyn Handle>,
    /// The one that was used last comes first.
    readers: RefCell<Vec<Reader>>,
}

/// One that has come to a place
#[derive(Debug)]
struct Reader {
    decoder: Decoder,
    /// The bytes up to this place have been decoded.
    end: u64,
    /// The last of them: the next read begins within these, at a line's end or the bytes before a cursor.
    window: Vec<u8>,
}

impl Unpacked {
    pub(crate) fn new(file: Arc<dyn Handle>) -> Self {
        Self { file, readers: RefCell::default() }
    }

    pub(crate) fn stat(&self) -> io::Result<Stat> {
        self.file.stat()
    }

    /// Reads until the buffer is full or the content ends.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut readers = self.readers.borrow_mut();
        let within = readers.iter().position(|reader| (reader.start()..=reader.end).contains(&offset));
        let before = || {
            let before = readers.iter().enumerate().filter(|(_, reader)| reader.end <= offset);
            before.max_by_key(|(_, reader)| reader.end).map(|(nth, _)| nth)
        };
        let mut reader = match within.or_else(before) {
            Some(nth) => readers.remove(nth),
            None => Reader { decoder: Decoder::new(self.file.clone())?, end: 0, window: Vec::new() },
        };
        let length = reader.read(buffer, offset)?;
        readers.truncate(READERS - 1);
        readers.insert(0, reader);
        Ok(length)
    }
}

impl Reader {
    fn start(&self) -> u64 {
        self.end - self.window.len() as u64
    }

    fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        while self.end < offset {
            // Decode and discard up to the offset: no output reads the bytes between.
            let most = (offset - self.end).min(buffer.len() as u64);
            let part = &mut buffer[..usize::try_from(most).unwrap_or(usize::MAX)];
            let length = self.decoder.fill(part)?;
            self.window.clear();
            if length == 0 {
                return Ok(0);
            }
            self.end += length as u64;
        }
        let from = usize::try_from(offset - self.start()).unwrap_or(usize::MAX);
        let known = self.window.get(from..).unwrap_or_default();
        let length = known.len().min(buffer.len());
        buffer[..length].copy_from_slice(&known[..length]);
        if length == buffer.len() {
            return Ok(length);
        }
        let read = self.decoder.fill(&mut buffer[length..])?;
        self.end += read as u64;
        self.window.clear();
        self.window.extend_from_slice(&buffer[..length + read]);
        Ok(length + read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;
    use crate::content::foreign::Packing;

    fn packed(text: &[u8], packing: Packing) -> Unpacked {
        let mut file = tempfile::tempfile().unwrap();
        // Two members or frames, as files that were appended to each other have
        for part in text.chunks(text.len() / 2 + 1) {
            match packing {
                Packing::Gzip => {
                    let mut encoder = GzEncoder::new(&file, Compression::fast());
                    encoder.write_all(part).unwrap();
                    encoder.finish().unwrap();
                }
                Packing::Zstd => file.write_all(&zstd::encode_all(part, 1).unwrap()).unwrap(),
            }
        }
        Unpacked::new(Arc::new(file))
    }

    proptest! {
        #[test]
        fn any_reads_find_what_is_there(is_gzip: bool, reads in proptest::collection::vec((0..3000u64, 1..900usize), 1..40)) {
            let text: Vec<u8> = (0..2500u32).flat_map(u32::to_le_bytes).take(2500).collect();
            let unpacked = packed(&text, if is_gzip { Packing::Gzip } else { Packing::Zstd });
            for (offset, length) in reads {
                let mut buffer = vec![0; length];
                let read = unpacked.read_at(&mut buffer, offset).unwrap();
                let from = usize::try_from(offset).unwrap().min(text.len());
                prop_assert_eq!(&buffer[..read], &text[from..text.len().min(from + length)]);
            }
            prop_assert!(unpacked.readers.borrow().len() <= READERS);
        }
    }
}
