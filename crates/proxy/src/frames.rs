//! The frames of HTTP/2 (RFC 9113, section 4.1) in a stream of bytes that is split anywhere. Only their headers are read; payloads are
//! skipped. What the frames cost is counted in `allowance`.

pub(crate) mod allowance;
#[cfg(test)]
mod tests;

/// Bytes before the payload
const HEADER: u8 = 9;
/// The same with the error code of `RST_STREAM`
const HEADER_AND_CODE: u8 = HEADER + 4;
/// `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`: a client sends it before its first frame (section 3.4)
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The type of a frame (section 6)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// An extension's, which is ignored (section 5.5)
    Other,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Data,
        Self::Headers,
        Self::Priority,
        Self::Reset,
        Self::Settings,
        Self::PushPromise,
        Self::Ping,
        Self::GoAway,
        Self::WindowUpdate,
        Self::Continuation,
    ];

    /// The type with this number
    pub(crate) fn of(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Other)
    }

    /// Its number; that of an unused type for an extension's
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

/// A frame without its payload
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// 0 is the connection
    pub(crate) stream: u32,
    /// Bytes of the payload
    pub(crate) length: u32,
    /// The error code of a `RST_STREAM`
    pub(crate) code: u32,
}

impl Frame {
    /// Flag of DATA and HEADERS: the stream's side ends
    pub(crate) const END_STREAM: u8 = 1;
    /// Flag of SETTINGS and PING
    pub(crate) const ACK: u8 = 1;
    /// Flag of HEADERS and CONTINUATION: the block of fields ends
    pub(crate) const END_HEADERS: u8 = 4;

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn read(bytes: [u8; HEADER_AND_CODE as usize]) -> Self {
        let [high, middle, low, kind, flags, stream @ .., c0, c1, c2, c3] = bytes;
        Self {
            kind: Kind::of(kind),
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes(stream) & (u32::MAX >> 1),
            length: u32::from_be_bytes([0, high, middle, low]),
            code: u32::from_be_bytes([c0, c1, c2, c3]),
        }
    }

    /// Whether it carries fields
    pub(crate) fn is_of_head(self) -> bool {
        matches!(self.kind, Kind::Headers | Kind::Continuation)
    }
}

/// A place in a stream of frames
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    /// The header of the next frame, as far as it has come
    header: [u8; HEADER_AND_CODE as usize],
    filled: u8,
    /// Bytes of the preface or of a payload that are still to come
    left: usize,
    /// Whether the client's preface is not complete
    is_preface: bool,
    /// Whether what is still to come belongs to a head
    is_head: bool,
    /// Whether a block of fields has begun, and not ended
    is_block_open: bool,
    /// Bytes of the last block, with those of its last frame that are still to come
    block: usize,
    /// Frames so far, of which all of a block count as one
    count: u64,
}

impl Frames {
    /// The frames of a client, behind its preface
    pub(crate) fn of_client() -> Self {
        Self { left: PREFACE.len(), is_preface: true, ..Self::of_server() }
    }

    /// The frames of a server
    pub(crate) fn of_server() -> Self {
        Self::default()
    }

    /// Goes on through these bytes, and gives each frame whose header ends in them.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut found: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = bytes.len().min(self.left);
                bytes = &bytes[skipped..];
                self.left -= skipped;
                self.is_preface &= self.left > 0;
                continue;
            }
            self.header[usize::from(self.filled)] = bytes[0];
            self.filled += 1;
            bytes = &bytes[1..];
            if let Some(frame) = self.complete() {
                found(frame);
            }
        }
    }

    /// Whether the next byte begins a frame
    pub(crate) fn is_between(&self) -> bool {
        self.left == 0 && self.filled == 0
    }

    /// The number of a head, a preface or the header of a frame that has begun, and not ended: its
    /// rest must come soon. The payload of DATA has the time of a body.
    pub(crate) fn head_under_way(&self) -> Option<u64> {
        let has_begun_preface = self.is_preface && self.left < PREFACE.len();
        let is_in_head = self.filled > 0 || has_begun_preface || self.is_block_open || self.is_head && self.left > 0;
        is_in_head.then_some(self.count)
    }

    /// Bytes of the head that has begun, and not ended
    pub(crate) fn head_length(&self) -> usize {
        if self.is_block_open || self.is_head && self.left > 0 { self.block } else { 0 }
    }

    /// The frame whose header has just ended
    fn complete(&mut self) -> Option<Frame> {
        if self.filled < HEADER {
            return None;
        }
        let frame = Frame::read(self.header);
        let has_code = frame.kind == Kind::Reset && frame.length >= 4;
        if has_code && self.filled < HEADER_AND_CODE {
            return None;
        }
        let read = if has_code { 4 } else { 0 };
        self.left = frame.length as usize - read;
        self.filled = 0;
        self.header = [0; HEADER_AND_CODE as usize];
        self.count += u64::from(!self.is_block_open);
        self.is_head = frame.is_of_head();
        if self.is_head {
            let before = if self.is_block_open { self.block } else { 0 };
            self.block = before + frame.length as usize;
            self.is_block_open = !frame.has(Frame::END_HEADERS);
        }
        Some(frame)
    }
}
