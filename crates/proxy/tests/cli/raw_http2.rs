//! An HTTP/2 client whose frames are written by hand, so that it can send any of them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use harness::DEADLINE;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// The setting that bounds the table of the server's encoder
const HEADER_TABLE_SIZE: u16 = 1;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

/// A frame that came
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// How a stream or a connection ended
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this status, or none, and bytes of a body
    Answer(u16, Vec<u8>),
    /// `RST_STREAM` with this code, after a part of an answer
    Reset(u32, Option<u16>),
    /// GOAWAY with this code, and the connection's end
    GoAway(u32),
    /// The connection's end without GOAWAY
    Closed,
}

/// A connection
pub(crate) struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Raw {
    /// A connection whose preface and settings have been sent. The server may not index headers, so that each answer can be read
    /// by itself.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::with_settings(address, &[])
    }

    /// With more settings
    pub(crate) fn with_settings(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        Self::over(TcpStream::connect(address).unwrap(), settings)
    }

    /// The same over this connection
    pub(crate) fn over(stream: TcpStream, settings: &[(u16, u32)]) -> Self {
        let mut raw = Self::of(stream);
        raw.send(PREFACE);
        let all = [&[(HEADER_TABLE_SIZE, 0)], settings].concat();
        let payload: Vec<u8> =
            all.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        raw.send(frame(SETTINGS, 0, 0, &payload));
        raw
    }

    /// A connection on which nothing has been sent
    pub(crate) fn silent(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends while the proxy may have closed already: `false` if it has.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Whether something comes within this time
    pub(crate) fn has_more(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let has_more = !self.unread.is_empty() || self.stream.peek(&mut [0]).is_ok_and(|length| length > 0);
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        has_more
    }

    /// The next frame; nothing when the connection ends.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.fill(9)?;
        let [a, b, c, kind, flags, stream @ ..] = *self.unread.first_chunk::<9>().unwrap();
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        self.fill(9 + length)?;
        let payload = self.unread[9..9 + length].to_vec();
        self.unread.drain(..9 + length);
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The next frame of this type
    #[track_caller]
    pub(crate) fn until(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().unwrap_or_else(|| panic!("the connection ended before a frame {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// How this stream ends. Frames of other streams are passed over; a GOAWAY without an error does not end it.
    pub(crate) fn end_of(&mut self, stream: u32) -> End {
        let (mut status, mut body, mut gone) = (None, Vec::new(), None);
        loop {
            let Some(frame) = self.next() else { return gone.map_or(End::Closed, End::GoAway) };
            match frame.kind {
                GOAWAY => gone = Some(code(&frame.payload[4..])),
                _ if frame.stream != stream => continue,
                RST_STREAM => return End::Reset(code(&frame.payload), status),
                HEADERS if status.is_none() => status = Some(status_of(&frame.payload)),
                DATA => body.extend(frame.payload),
                _ => (),
            }
            if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
                return End::Answer(status.unwrap_or_default(), body);
            }
        }
    }

    /// How the connection ends; frames before that are skipped
    pub(crate) fn end(&mut self) -> End {
        self.end_of(u32::MAX)
    }

    fn fill(&mut self, length: usize) -> Option<()> {
        let mut room = [0; 16 * 1024];
        while self.unread.len() < length {
            let length = self.stream.read(&mut room).ok().filter(|length| *length > 0)?;
            self.unread.extend_from_slice(&room[..length]);
        }
        Some(())
    }
}

/// The bytes of a frame
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A whole head in one frame
pub(crate) fn head(stream: u32, fields: &[(&str, &str)], flags: u8) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// The head of a GET request for this path, and its end
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    head(stream, &request("GET", path), END_STREAM)
}

/// The fields of a request
pub(crate) fn request<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [(":method", method), (":scheme", "http"), (":authority", "app"), (":path", path)]
}

/// A block of fields (RFC 7541): literals that are not indexed and not compressed (section 6.2.2)
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.extend(integer(text.len(), 7));
            block.extend(text.bytes());
        }
    }
    block
}

/// An integer behind a prefix of this number of bits (RFC 7541, section 5.1)
fn integer(number: usize, bits: u32) -> Vec<u8> {
    let most = (1 << bits) - 1;
    if number < most {
        return vec![u8::try_from(number).unwrap()];
    }
    let (mut bytes, mut rest) = (vec![u8::try_from(most).unwrap()], number - most);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

fn code(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(*bytes.first_chunk().unwrap())
}

/// The status at the beginning of an answer's block, where the encoder has no table of its own: from the static table, or three digits
/// in Huffman's code
fn status_of(block: &[u8]) -> u16 {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // A change of the table's size
    let block = if block[0] & 0xe0 == 0x20 { &block[1..] } else { block };
    if let index @ 0x88..=0x8e = block[0] {
        return INDEXED[usize::from(index - 0x88)];
    }
    let length = usize::from(block[1] & 0x7f);
    let bits = block[2..2 + length].iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    digits(bits, u32::try_from(length * 8).unwrap())
}

/// Three digits in Huffman's code (RFC 7541, appendix B): 0 to 2 have five bits, and the others six.
fn digits(bits: u64, length: u32) -> u16 {
    let (mut number, mut at) = (0, length);
    for _ in 0..3 {
        let five = bits >> (at - 5) & 0x1f;
        let digit = if five <= 2 {
            at -= 5;
            five
        } else {
            at -= 6;
            (bits >> at & 0x3f) - 0x19 + 3
        };
        number = number * 10 + u16::try_from(digit).unwrap();
    }
    number
}
