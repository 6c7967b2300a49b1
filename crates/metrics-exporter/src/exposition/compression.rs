//! Compression of pages, and bounded decompression of bodies.

use std::io::{self, Read, Write as _};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

/// A content encoding
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Identity,
    /// RFC 1952
    Gzip,
    /// RFC 8878
    Zstd,
}

/// The reason why a compressed body cannot be read
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecompressFault {
    #[error("it is larger than the limit once it is decompressed")]
    TooLarge,
    #[error("its compressed data ends too early")]
    CutOff,
    #[error("its compressed data is damaged, or has bytes after its end")]
    Damaged,
}

/// The least size for compression; a smaller page fits into one packet anyway
const WORTH_IT_BYTES: usize = 1024;
/// The fastest level, because pages are so repetitive that a higher level costs much time and saves few bytes
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;
/// The largest window, 2^23 bytes, which is HTTP's limit (RFC 9659); the library's own limit is 128 MiB
const ZSTD_WINDOW_LOG: u32 = 23;

impl Encoding {
    /// The name in `Content-Encoding`; `None` for identity, which has no header
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The encoding of a `Content-Encoding` header; `None` for an unknown encoding and for more than one
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("identity") || name.is_empty() {
            Some(Self::Identity)
        } else if is("gzip") || is("x-gzip") {
            Some(Self::Gzip)
        } else if is("zstd") {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// Compresses a page. A small page, and a page that does not shrink, stays unchanged. Returns the page and its encoding.
    pub(crate) fn compress(self, page: Vec<u8>) -> (Vec<u8>, Self) {
        if page.len() < WORTH_IT_BYTES {
            return (page, Self::Identity);
        }
        let compressed = match self {
            Self::Identity => return (page, self),
            Self::Gzip => gzip(&page),
            Self::Zstd => zstd::bulk::compress(&page, ZSTD_LEVEL),
        };
        // Compression fails only when memory runs out, and the uncompressed page is still valid.
        match compressed {
            Ok(compressed) if compressed.len() < page.len() => (compressed, self),
            _ => (page, Self::Identity),
        }
    }

    /// Decompresses a whole body. A result over `limit` bytes is an error, and memory never exceeds the limit and the decoder's
    /// window.
    pub(crate) fn decompress(self, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, DecompressFault> {
        let mut page = Vec::new();
        // One byte more than the limit shows that the body exceeds it.
        let bound = limit.saturating_add(1) as u64;
        let read = match self {
            Self::Identity => {
                page = body;
                Ok(page.len())
            }
            Self::Gzip => MultiGzDecoder::new(body.as_slice()).take(bound).read_to_end(&mut page),
            Self::Zstd => zstd_decoder(&body).and_then(|decoder| decoder.take(bound).read_to_end(&mut page)),
        };
        if page.len() > limit {
            return Err(DecompressFault::TooLarge);
        }
        match read {
            Ok(_) => Ok(page),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(DecompressFault::CutOff),
            Err(_) => Err(DecompressFault::Damaged),
        }
    }
}

fn gzip(page: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(page.len() / 8), Compression::new(GZIP_LEVEL));
    encoder.write_all(page)?;
    encoder.finish()
}

/// Refuses an empty body, which the decoder would accept as a sequence of no frames.
fn zstd_decoder(body: &[u8]) -> io::Result<zstd::stream::read::Decoder<'static, &[u8]>> {
    if body.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

    fn page(bytes: usize) -> Vec<u8> {
        b"http_requests_total{code=\"200\"} 1027\n".iter().copied().cycle().take(bytes).collect()
    }

    fn compressed(encoding: Encoding, bytes: usize) -> Vec<u8> {
        let (compressed, actual) = encoding.compress(page(bytes));
        assert_eq!(actual, encoding);
        compressed
    }

    #[test]
    fn a_compressed_page_is_read_unchanged() {
        for encoding in BOTH {
            let body = compressed(encoding, 1_000_000);
            assert!(body.len() < 20_000, "{encoding:?}: {}", body.len());
            assert_eq!(encoding.decompress(body, 1_000_000), Ok(page(1_000_000)));
        }
    }

    #[test]
    fn a_small_page_stays_as_it_is() {
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
            assert_eq!(encoding.compress(page(1000)), (page(1000), Encoding::Identity));
        }
    }

    #[test]
    fn a_page_that_does_not_shrink_stays_as_it_is() {
        let mut random: u64 = 1;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random.to_be_bytes()[0]
        })
        .take(4096)
        .collect();
        for encoding in BOTH {
            assert_eq!(encoding.compress(noise.clone()), (noise.clone(), Encoding::Identity));
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused() {
        for encoding in BOTH {
            let body = compressed(encoding, 5000);
            assert_eq!(encoding.decompress(body.clone(), 4999), Err(DecompressFault::TooLarge));
            assert_eq!(encoding.decompress(body, 5000).map(|page| page.len()), Ok(5000));
        }
        assert_eq!(Encoding::Identity.decompress(page(5000), 4999), Err(DecompressFault::TooLarge));
        assert_eq!(Encoding::Identity.decompress(page(5000), 5000), Ok(page(5000)));
    }

    /// 100 MB of zeros in some kilobytes; the refused page is never in memory as a whole.
    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let zeros = vec![0; 100_000_000];
        for encoding in BOTH {
            let (bomb, _) = encoding.compress(zeros.clone());
            assert!(bomb.len() < 1_000_000);
            assert_eq!(encoding.decompress(bomb, 1_000_000), Err(DecompressFault::TooLarge));
        }
    }

    /// A frame that requires a window of 1 GiB, with one empty raw block.
    #[test]
    fn a_zstd_frame_with_a_huge_window_is_refused() {
        let frame = |window_log: u8| vec![0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3, 1, 0, 0];
        assert_eq!(Encoding::Zstd.decompress(frame(30), 1_000_000), Err(DecompressFault::Damaged));
        assert_eq!(Encoding::Zstd.decompress(frame(23), 1_000_000), Ok(Vec::new()));
    }

    #[test]
    fn every_body_that_is_cut_off_is_refused() {
        for encoding in BOTH {
            let body = compressed(encoding, 3000);
            for length in 0..body.len() {
                let fault = encoding.decompress(body[..length].to_vec(), 10_000);
                assert_eq!(fault, Err(DecompressFault::CutOff), "{encoding:?} after {length}");
            }
        }
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        for encoding in BOTH {
            for rest in [&b"\n"[..], b"more", b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
                let body = [&compressed(encoding, 3000), rest].concat();
                assert!(encoding.decompress(body, 10_000).is_err(), "{encoding:?} {rest:?}");
            }
        }
    }

    #[test]
    fn the_next_member_is_part_of_the_body() {
        for encoding in BOTH {
            let body = [compressed(encoding, 3000), compressed(encoding, 2000)].concat();
            assert_eq!(encoding.decompress(body, 10_000), Ok([page(3000), page(2000)].concat()));
        }
    }

    #[test]
    fn names_are_those_of_the_header() {
        for encoding in BOTH {
            assert_eq!(encoding.name().and_then(Encoding::named), Some(encoding));
        }
        for (name, encoding) in [
            ("", Some(Encoding::Identity)),
            ("identity", Some(Encoding::Identity)),
            (" X-GZIP ", Some(Encoding::Gzip)),
            ("br", None),
            ("gzip, gzip", None),
        ] {
            assert_eq!(Encoding::named(name), encoding, "{name}");
        }
    }

    proptest! {
        /// Any bytes are a page within the limit, or a fault.
        #[test]
        fn any_bytes_are_bounded(mut body in prop::collection::vec(any::<u8>(), 0..200), magic in 0usize..3) {
            let magics: [&[u8]; 3] = [b"", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\x28\xb5\x2f\xfd"];
            body.splice(0..0, magics[magic].iter().copied());
            for encoding in BOTH {
                if let Ok(page) = encoding.decompress(body.clone(), 1000) {
                    prop_assert!(page.len() <= 1000);
                }
            }
        }

        /// A flipped bit is a fault or, for some bits of gzip's header, changes nothing.
        #[test]
        fn a_flipped_bit_does_not_change_a_gzip_page(at in 0usize..10_000) {
            let mut body = compressed(Encoding::Gzip, 3000);
            let at = at % (body.len() * 8);
            body[at / 8] ^= 1 << (at % 8);
            if let Ok(read) = Encoding::Gzip.decompress(body, 10_000) {
                prop_assert_eq!(read, page(3000));
            }
        }
    }
}
