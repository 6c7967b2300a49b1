//! Compressed bodies.

use endpoint::Options;
use flate2::{Compress, FlushCompress, Status};
use hyper::header::HeaderValue;
use zstd::{bulk::Compressor, zstd_safe::compress_bound};

use crate::records::pool::{Buffer, Pool};

/// The lowest of gzip and of zstd: log lines shrink to a seventh or less already, and the CPU is
/// the app's.
const LEVEL: u8 = 1;
/// The window of gzip is 2 to the power of this.
const WINDOW_BITS: u8 = 15;
/// Room for so large a part of a body is made for its gzip at first, and more when it is needed.
const EXPECTED_PART: usize = 4;

/// A way to compress, whose memory is used again
pub(super) enum Compression {
    Gzip(Compress),
    Zstd(Compressor<'static>),
}

impl Compression {
    /// Takes `gzip` and `zstd`.
    pub(super) fn from_options(options: &mut Options) -> Result<Option<Self>, String> {
        match (options.switch("gzip")?, options.switch("zstd")?) {
            (true, true) => Err("options gzip and zstd exclude each other".into()),
            (true, false) => Ok(Some(Self::gzip())),
            (false, true) => {
                let compressor = Compressor::new(LEVEL.into());
                Ok(Some(Self::Zstd(compressor.map_err(|error| format!("option zstd: {error}"))?)))
            }
            (false, false) => Ok(None),
        }
    }

    pub(super) fn gzip() -> Self {
        Self::Gzip(Compress::new_gzip(flate2::Compression::new(LEVEL.into()), WINDOW_BITS))
    }

    /// As `Content-Encoding` names it
    pub(super) fn name(&self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        })
    }

    /// On the job's own thread: a batch takes it a few milliseconds.
    pub(super) fn compress(&mut self, body: &[u8], pool: &Pool) -> Result<Buffer, String> {
        match self {
            Self::Gzip(gzip) => {
                let mut out = pool.empty(body.len() / EXPECTED_PART);
                gzip.reset();
                loop {
                    // Both count from the reset.
                    let taken = usize::try_from(gzip.total_in()).unwrap_or(usize::MAX);
                    let status = gzip.compress_vec(&body[taken..], &mut out, FlushCompress::Finish);
                    if status.map_err(|error| error.to_string())? == Status::StreamEnd {
                        return Ok(out);
                    }
                    let more = out.capacity().max(1024);
                    out.reserve(more);
                }
            }
            Self::Zstd(zstd) => {
                let mut out = pool.empty(compress_bound(body.len()));
                zstd.compress_to_buffer(body, &mut *out).map_err(|error| error.to_string())?;
                Ok(out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn bodies() -> [Vec<u8>; 4] {
        let noise = std::iter::repeat_with(|| fastrand::u8(..)).take(300_000).collect();
        let lines = (0..20_000).fold(String::new(), |text, number| text + "line " + &number.to_string() + "\n");
        [Vec::new(), b"one\n".to_vec(), noise, lines.into_bytes()]
    }

    #[test]
    fn what_is_compressed_is_read_again() {
        let pool = Pool::default();
        let compression = |name| {
            let mut options = Options::from_fragment(name).unwrap();
            Compression::from_options(&mut options).unwrap().unwrap()
        };
        let (mut gzip, mut zstd) = (compression("gzip"), compression("zstd"));
        for body in bodies() {
            let mut read = Vec::new();
            let compressed = gzip.compress(&body, &pool).unwrap();
            GzDecoder::new(&compressed[..]).read_to_end(&mut read).unwrap();
            assert!(read == body);
            let compressed = zstd.compress(&body, &pool).unwrap();
            assert!(zstd::decode_all(&compressed[..]).unwrap() == body);
        }
    }
}
