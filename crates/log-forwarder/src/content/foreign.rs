//! The kind of a file by its first bytes: whether it holds lines, is compressed, or cannot be read.

use std::io;

use super::volume::Handle;

/// Bytes that tell it: those of the longest mark, that of bzip2
pub(crate) const ENOUGH: usize = 10;

/// U+FEFF in UTF-8
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

const XZ: &str = "it is compressed with xz: give --exclude for such names, or compress with gzip or zstd";
const BZIP2: &str = "it is compressed with bzip2: give --exclude for such names, or compress with gzip or zstd";

/// The kind of a file, by its first bytes. A file that has too few of them yet holds lines, and
/// none of the marks has a newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lines,
    Compressed(Packing),
    /// No lines that can be read, with the reason and what helps
    Foreign(&'static str),
}

/// A form of compression that can be read
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

/// The kind of a file that begins so
pub(crate) fn kind(beginning: &[u8]) -> Kind {
    match beginning {
        // The byte order mark, of either order (The Unicode Standard, section 2.13)
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Kind::Foreign("it is UTF-16: let the app write UTF-8"),
        // RFC 1952: the magic, and the only method
        [0x1F, 0x8B, 8, ..] => Kind::Compressed(Packing::Gzip),
        // RFC 8878: a frame, or one that is skipped
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Kind::Compressed(Packing::Zstd),
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Kind::Foreign(XZ),
        // A level, and the mark of a block or of the end: a line of text can begin with BZh.
        [b'B', b'Z', b'h', b'1'..=b'9', block @ ..]
            if block.starts_with(b"1AY&SY") || block.starts_with(b"\x17\x72\x45\x38\x50\x90") =>
        {
            Kind::Foreign(BZIP2)
        }
        _ => Kind::Lines,
    }
}

/// The same of an open file; one that cannot be read now is judged when it is read.
pub(crate) fn kind_of(file: &dyn Handle) -> Kind {
    kind(&beginning(file).unwrap_or_default())
}

/// As many of the first bytes as tell the kind of a file
pub(super) fn beginning(file: &dyn Handle) -> io::Result<Vec<u8>> {
    let mut beginning = vec![0; ENOUGH];
    let length = file.read_at(&mut beginning, 0)?;
    beginning.truncate(length);
    Ok(beginning)
}

impl Kind {
    /// The program that has compressed such a file; with `-dc` it prints the content.
    pub(crate) fn compressor(self) -> Option<&'static str> {
        match self {
            Self::Compressed(Packing::Gzip) => Some("gzip"),
            Self::Compressed(Packing::Zstd) => Some("zstd"),
            Self::Foreign(XZ) => Some("xz"),
            Self::Foreign(BZIP2) => Some("bzip2"),
            Self::Lines | Self::Foreign(_) => None,
        }
    }

    /// Why such a file is not read, and what helps
    pub(crate) fn obstacle(self, reads_compressed: bool) -> Option<&'static str> {
        match self {
            Self::Lines => None,
            Self::Compressed(_) if reads_compressed => None,
            Self::Compressed(Packing::Gzip) => {
                Some("it is compressed with gzip: give --read-compressed, or --exclude for such names")
            }
            Self::Compressed(Packing::Zstd) => {
                Some("it is compressed with zstd: give --read-compressed, or --exclude for such names")
            }
            Self::Foreign(reason) => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        let reason = |text: &[u8]| kind(text).obstacle(false).unwrap().split_once(':').unwrap().0;
        for (text, expected) in [
            (&b"\xFF\xFEa\0\n\0"[..], "it is UTF-16"),
            (b"\xFE\xFF\0a\0\n", "it is UTF-16"),
            (b"\xFF\xFE", "it is UTF-16"),
            (b"\x1F\x8B\x08", "it is compressed with gzip"),
            (b"\x28\xB5\x2F\xFD\n", "it is compressed with zstd"),
            (b"\x50\x2A\x4D\x18", "it is compressed with zstd"),
            (b"\x5F\x2A\x4D\x18\0", "it is compressed with zstd"),
            (b"\xFD7zXZ\0\n", "it is compressed with xz"),
            (b"BZh91AY&SY\n", "it is compressed with bzip2"),
            (b"BZh1\x17\x72\x45\x38\x50\x90\0", "it is compressed with bzip2"),
        ] {
            assert_eq!(reason(text), expected);
            assert_eq!(kind(text).compressor(), expected.strip_prefix("it is compressed with "));
            let is_read = expected.ends_with("gzip") || expected.ends_with("zstd");
            assert_eq!(kind(text).obstacle(true).is_none(), is_read);
        }
    }

    #[test]
    fn all_else_is_lines_and_no_part_of_a_mark_has_a_newline() {
        for text in [
            &b""[..],
            b"\xFF",
            b"\xEF\xBB\xBFa",
            "\u{ff}\u{fe}".as_bytes(),
            b"BZh9 is a line\n",
            b"BZh01AY&SY\n",
            b"`*M\x18",
        ] {
            assert_eq!(kind(text), Kind::Lines, "{text:?}");
        }
        for mark in [&b"\x1F\x8B\x08"[..], b"\x28\xB5\x2F\xFD", b"\x50\x2A\x4D\x18", b"\xFD7zXZ\0", b"BZh91AY&SY"] {
            for length in 0..mark.len() {
                assert_eq!(kind(&mark[..length]), Kind::Lines);
                assert!(!mark.contains(&b'\n') && mark.len() <= ENOUGH);
            }
        }
    }
}
