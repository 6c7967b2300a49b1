//! Where a chunked body ends (RFC 9112, section 7.1). hyper judges the body itself; this only finds the first byte behind it, by the
//! same strict reading: each line ends in CRLF.

/// A place in a chunked body
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// In the digits of a size
    Size(u64),
    /// Behind them, before CR
    Extension(u64),
    /// Before the LF behind a size
    SizeEnd(u64),
    /// Before this number of bytes of data, with the CRLF behind them
    Data(u64),
    /// At the beginning of a trailer or of the empty line at the end
    Line,
    /// In a trailer
    Trailer,
    /// Before the LF behind a trailer
    TrailerEnd,
    /// Before the last LF
    End,
    /// Behind the body
    Ended,
    /// No chunked body; hyper refuses it
    Broken,
}

impl Chunks {
    /// Before the first byte of a body
    pub(super) const BEGIN: Self = Self::Size(0);

    /// Goes on through these bytes, up to the end of the body; the number of bytes that belong to it.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && !matches!(self, Self::Ended | Self::Broken) {
            if let Self::Data(left) = *self {
                let passed = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += passed;
                let left = left - passed as u64;
                *self = if left == 0 { Self::BEGIN } else { Self::Data(left) };
            } else {
                *self = self.after(bytes[at]);
                at += 1;
            }
        }
        at
    }

    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeEnd(size),
            (Self::Size(size), _) => match char::from(byte).to_digit(16) {
                Some(digit) => {
                    let size = size.checked_mul(16).and_then(|size| size.checked_add(digit.into()));
                    // Two bytes follow the data.
                    size.filter(|size| *size < u64::MAX - 2).map_or(Self::Broken, Self::Size)
                }
                None => Self::Extension(size),
            },
            (Self::Extension(size), _) => Self::Extension(size),
            (Self::SizeEnd(0) | Self::TrailerEnd, b'\n') => Self::Line,
            (Self::SizeEnd(size), b'\n') => Self::Data(size + 2),
            (Self::Line, b'\r') => Self::End,
            (Self::Trailer, b'\r') => Self::TrailerEnd,
            (Self::Line | Self::Trailer, _) => Self::Trailer,
            (Self::End, b'\n') => Self::Ended,
            _ => Self::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_in_pieces_of_any_size() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "5;a=\"b\"\r\n\r\n\r\n0\r\n0\r\n\r\n",
            "A \r\n0123456789\r\n00\r\nX-A: 1\r\nX-B: 2\n\n\r\n\r\n",
        ] {
            let stream = [body, "GET / HTTP/1.1"].concat();
            for piece in 1..stream.len() {
                let (mut chunks, mut passed) = (Chunks::BEGIN, 0);
                for bytes in stream.as_bytes().chunks(piece) {
                    passed += chunks.pass(bytes);
                }
                assert_eq!((chunks, passed), (Chunks::Ended, body.len()), "{body:?} by {piece}");
            }
        }
    }

    #[test]
    fn other_bytes_are_no_chunked_body() {
        for body in ["0\r\r", "0\r\n\rx", "10000000000000000\r\n", "ffffffffffffffff\r\n", "0\r\nX: 1\rx"] {
            let mut chunks = Chunks::BEGIN;
            chunks.pass(body.as_bytes());
            assert_eq!(chunks, Chunks::Broken, "{body:?}");
        }
    }
}
