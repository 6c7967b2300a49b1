//! The bytes of a compressed file from its beginning: gzip with all its members, or zstd with all its frames.

use std::{
    fmt,
    io::{self, BufReader, Read},
    sync::Arc,
};

use flate2::bufread::MultiGzDecoder;

use super::{
    foreign::{Kind, Packing, kind_of},
    volume::Handle,
};

/// zstd's window is at most 2 to the power of this: 8 MiB, which every decoder should support (RFC 8878, section 3.1.1.1.2).
/// A file that needs more would take the memory of everything else.
const WINDOW_BITS: u32 = 23;

/// zstd's name for the error of a frame with a larger window
const TOO_WIDE: &str = "Frame requires too much memory for decoding";

/// A source of the bytes of a compressed file
pub(super) enum Decoder {
    Gzip(Box<MultiGzDecoder<BufReader<Positioned>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Positioned>>>),
}

/// A file with a position of its own, however many have the file
#[derive(Debug)]
pub(super) struct Positioned {
    file: Arc<dyn Handle>,
    offset: u64,
}

/// Why a compressed file cannot be read to its end
#[derive(Debug)]
pub(super) enum Fault {
    /// It ends within a member or frame.
    Unfinished,
    /// It is not what its first bytes say, or needs too much memory.
    Unfit(&'static str),
    /// The system gives an error.
    System(io::Error),
}

impl Decoder {
    pub(super) fn new(file: Arc<dyn Handle>) -> io::Result<Self> {
        let kind = kind_of(file.as_ref());
        let bytes = BufReader::new(Positioned { file, offset: 0 });
        if kind != Kind::Compressed(Packing::Zstd) {
            return Ok(Self::Gzip(MultiGzDecoder::new(bytes).into()));
        }
        let mut decoder = zstd::Decoder::with_buffer(bytes)?;
        decoder.window_log_max(WINDOW_BITS)?;
        Ok(Self::Zstd(decoder.into()))
    }

    /// Reads until the buffer is full or there is no more.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        while length < buffer.len() {
            match self.read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(length)
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip(_) => "Gzip",
            Self::Zstd(_) => "Zstd",
        })
    }
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Decoders make their own errors, without a code of the system.
            _ if error.raw_os_error().is_some() => Self::System(error),
            io::ErrorKind::UnexpectedEof => Self::Unfinished,
            _ if error.to_string() == TOO_WIDE => {
                Self::Unfit("zstd needs more than 8 MiB to read it: compress it without --long and --ultra")
            }
            _ => Self::Unfit("its compressed data are damaged: test it with gzip -t or zstd -t"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn decoded(packed: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(packed).unwrap();
        let mut text = Vec::new();
        Decoder::new(Arc::new(file))?.read_to_end(&mut text)?;
        Ok(text)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ::zstd::encode_all(text, 1).unwrap()
    }

    #[test]
    fn all_members_and_frames_are_read_and_no_part_is_whole() {
        let skippable = b"\x5A\x2A\x4D\x18\x03\0\0\0abc";
        let two = [gzip(b"one\n"), gzip(b"two\n")].concat();
        let frames = [skippable, &zstd(b"one\n")[..], skippable, &zstd(b"two\n"), skippable].concat();
        for (whole, ends) in [
            (two, vec![gzip(b"one\n").len()]),
            (frames, vec![11, 11 + zstd(b"one\n").len(), 22 + zstd(b"one\n").len(), 22 + 2 * zstd(b"one\n").len()]),
        ] {
            assert_eq!(decoded(&whole).unwrap(), b"one\ntwo\n");
            for length in (1..whole.len()).filter(|length| !ends.contains(length)) {
                let cut = decoded(&whole[..length]);
                assert!(matches!(cut, Err(Fault::Unfinished)), "{length}: {cut:?}");
            }
        }
    }

    #[test]
    fn damage_and_windows_that_take_the_memory_are_faults() {
        for mut packed in [gzip(&[b'x'; 5000]), zstd(&(0..5000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>())] {
            let middle = packed.len() / 2;
            packed[middle] ^= 0xFF;
            packed.push(1);
            assert!(matches!(decoded(&packed), Err(Fault::Unfit(reason)) if reason.contains("damaged")));
        }
        // A frame of RFC 8878 with a window of 16 MiB: no single segment, window descriptor 14 << 3
        let wide = [&b"\x28\xB5\x2F\xFD\0"[..], &[14 << 3], &[1, 0, 0]].concat();
        assert!(matches!(decoded(&wide), Err(Fault::Unfit(reason)) if reason.contains("8 MiB")));
        let widest = [&b"\x28\xB5\x2F\xFD\0"[..], &[13 << 3], &[1, 0, 0]].concat();
        assert_eq!(decoded(&widest).unwrap(), b"");
    }
}
