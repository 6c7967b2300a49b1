//! Where frames and messages end in one direction of a WebSocket (RFC 6455, sections 5.2 and 5.4). Payloads pass unread, so an
//! extension that changes payloads, such as compression, changes nothing here.
//!
//! Long because its tests write frames of every length.

/// The side that sends the frames: a client masks them, and a server does not (RFC 6455, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// A place between two bytes
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Neither a frame nor a message is under way
    BetweenMessages,
    /// No frame is under way, and more frames of a message must follow. Control frames may stand here.
    BetweenFrames,
    WithinFrame,
    /// The sender has closed its direction
    BehindClose,
    /// The bytes are no frames, so nothing is known any more
    Lost,
}

/// Follows frames that arrive in pieces of any size
#[derive(Clone, Debug)]
pub(crate) struct Frames {
    sender: Sender,
    next: Next,
    /// Whether a message has begun whose last frame has not begun
    is_message_open: bool,
    /// Whether the current frame is a control frame, or the one that closes
    kind: Kind,
}

/// The next byte
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// FIN, reserved bits and opcode
    Head,
    /// Mask bit and length
    Length,
    /// One of this number of bytes of an extended length, behind these bytes of it
    ExtendedLength {
        left: u8,
        value: u64,
    },
    /// One of this number of bytes of the mask and the payload
    Rest {
        left: u64,
    },
    /// Anything
    BehindClose,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Control,
    Close,
}

const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const MASK_LENGTH: u64 = 4;
/// The longest payload of a control frame (RFC 6455, section 5.5); greater numbers say how many bytes of length follow
const SHORT: u8 = 125;

impl Frames {
    pub(crate) fn of(sender: Sender) -> Self {
        Self { sender, next: Next::Head, is_message_open: false, kind: Kind::Data }
    }

    pub(crate) fn place(&self) -> Place {
        match self.next {
            Next::Head if self.is_message_open => Place::BetweenFrames,
            Next::Head => Place::BetweenMessages,
            Next::Length | Next::ExtendedLength { .. } | Next::Rest { .. } => Place::WithinFrame,
            Next::BehindClose => Place::BehindClose,
            Next::Lost => Place::Lost,
        }
    }

    /// Goes on through these bytes, and stops at the end of the frame under way; the number of bytes that it has gone on by.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            match self.next {
                Next::BehindClose | Next::Lost => return bytes.len(),
                Next::Rest { left } => {
                    let passed = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    at += passed;
                    self.next = self.before_rest(left - passed as u64);
                }
                _ => {
                    self.next = self.after(bytes[at]);
                    at += 1;
                }
            }
            if matches!(self.next, Next::Head | Next::BehindClose) {
                break;
            }
        }
        at
    }

    /// Reads one byte in front of mask and payload.
    fn after(&mut self, byte: u8) -> Next {
        match self.next {
            Next::Head => self.begin(byte),
            Next::Length => {
                let is_masked = byte & MASKED != 0;
                let length = byte & !MASKED;
                if is_masked != (self.sender == Sender::Client) || self.kind != Kind::Data && length > SHORT {
                    return Next::Lost;
                }
                match length {
                    126 => Next::ExtendedLength { left: 2, value: 0 },
                    127 => Next::ExtendedLength { left: 8, value: 0 },
                    length => self.before_payload(length.into()),
                }
            }
            Next::ExtendedLength { left, value } => {
                let value = value << 8 | u64::from(byte);
                match left - 1 {
                    // The most significant bit of 64 must be 0.
                    0 if value > u64::MAX / 2 => Next::Lost,
                    0 => self.before_payload(value),
                    left => Next::ExtendedLength { left, value },
                }
            }
            next => next,
        }
    }

    fn begin(&mut self, byte: u8) -> Next {
        let is_last = byte & FIN != 0;
        self.kind = match byte & OPCODE {
            // A continuation, a text, binary data
            0 if self.is_message_open => Kind::Data,
            1 | 2 if !self.is_message_open => Kind::Data,
            8 if is_last => Kind::Close,
            9 | 10 if is_last => Kind::Control,
            // Reserved, or out of place
            _ => return Next::Lost,
        };
        if self.kind == Kind::Data {
            self.is_message_open = !is_last;
        }
        Next::Length
    }

    fn before_payload(&self, length: u64) -> Next {
        let mask = if self.sender == Sender::Client { MASK_LENGTH } else { 0 };
        self.before_rest(length + mask)
    }

    fn before_rest(&self, left: u64) -> Next {
        match (left, self.kind) {
            (0, Kind::Close) => Next::BehindClose,
            (0, _) => Next::Head,
            _ => Next::Rest { left },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One frame as its sender writes it
    fn frame(sender: Sender, is_last: bool, opcode: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![if is_last { FIN | opcode } else { opcode }];
        let masked = if sender == Sender::Client { MASKED } else { 0 };
        match length {
            0..=125 => frame.push(masked | u8::try_from(length).unwrap()),
            126..=65_535 => {
                frame.push(masked + 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(masked + 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0x81; 4][..if sender == Sender::Client { 4 } else { 0 }]);
        // A payload that would be read as the head of a frame
        frame.extend(std::iter::repeat_n(0x88, length));
        frame
    }

    /// The place behind these bytes, and how many frames have ended
    fn followed(sender: Sender, bytes: &[u8], piece: usize) -> (Place, usize) {
        let (mut frames, mut ended) = (Frames::of(sender), 0);
        for mut piece in bytes.chunks(piece) {
            while !piece.is_empty() && frames.place() != Place::BehindClose {
                piece = &piece[frames.pass(piece)..];
                ended += usize::from(!matches!(frames.place(), Place::WithinFrame | Place::Lost));
            }
        }
        (frames.place(), ended)
    }

    #[test]
    fn lengths_of_all_sizes_end_where_they_say() {
        for sender in [Sender::Client, Sender::Server] {
            for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
                let whole = frame(sender, true, 2, length);
                for piece in [1, 2, 3, 7, 1000, whole.len()] {
                    assert_eq!(followed(sender, &whole, piece), (Place::BetweenMessages, 1), "{length} by {piece}");
                    let cut = &whole[..whole.len() - 1];
                    assert_eq!(followed(sender, cut, piece), (Place::WithinFrame, 0), "{length} by {piece}");
                }
            }
        }
    }

    #[test]
    fn control_frames_stand_within_a_message_and_a_close_ends_all() {
        let frame = |is_last, opcode, length| frame(Sender::Server, is_last, opcode, length);
        let begun = [frame(false, 1, 5), frame(true, 9, 3)].concat();
        assert_eq!(followed(Sender::Server, &begun, 4), (Place::BetweenFrames, 2));
        let ended = [begun.clone(), frame(false, 0, 0), frame(true, 10, 0), frame(true, 0, 9)].concat();
        assert_eq!(followed(Sender::Server, &ended, 4), (Place::BetweenMessages, 5));
        let closed = [begun, frame(true, 8, 2)].concat();
        assert_eq!(followed(Sender::Server, &closed, closed.len()), (Place::BehindClose, 3));
        assert_eq!(followed(Sender::Server, &[closed, vec![0xff; 9]].concat(), 100).0, Place::BehindClose);
    }

    #[test]
    fn a_stop_is_at_the_end_of_each_frame() {
        let (one, other) = (frame(Sender::Client, true, 1, 3), frame(Sender::Client, true, 8, 0));
        let both = [one.clone(), other.clone()].concat();
        let mut frames = Frames::of(Sender::Client);
        assert_eq!((frames.pass(&both), frames.place()), (one.len(), Place::BetweenMessages));
        assert_eq!((frames.pass(&both[one.len()..]), frames.place()), (other.len(), Place::BehindClose));
    }

    #[test]
    fn bytes_that_are_no_frames_are_noticed() {
        let no_frames: [&[u8]; 9] = [
            // A continuation of nothing
            &[0x80, 0],
            // A text within a message
            &[0x01, 0, 0x81],
            // Reserved opcodes
            &[0x83],
            &[0x8b],
            // Control frames in parts, or of more than 125 bytes
            &[0x09],
            &[0x89, 126],
            // A mask
            &[0x81, 0x80],
            // A length of 2^63
            &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
            b"HTTP/1.1 200 OK\r\n\r\n",
        ];
        for bytes in no_frames {
            assert_eq!(followed(Sender::Server, bytes, 1).0, Place::Lost, "{bytes:?}");
        }
        assert_eq!(followed(Sender::Client, &[0x81, 0], 1).0, Place::Lost, "no mask");
    }

    fn written() -> impl Strategy<Value = (Sender, Vec<u8>, Vec<usize>)> {
        let message = (prop::collection::vec((0..70_000_usize, 0..3_usize), 1..4), 1..=2_u8);
        let sender = prop_oneof![Just(Sender::Client), Just(Sender::Server)];
        (sender, prop::collection::vec(message, 0..4)).prop_map(|(sender, messages)| {
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            for (frames, opcode) in messages {
                let last = frames.len() - 1;
                for (at, (length, pings)) in frames.into_iter().enumerate() {
                    bytes.extend(frame(sender, at == last, if at == 0 { opcode } else { 0 }, length));
                    ends.push(bytes.len());
                    for _ in 0..pings {
                        bytes.extend(frame(sender, true, 9, length % 126));
                        ends.push(bytes.len());
                    }
                }
            }
            (sender, bytes, ends)
        })
    }

    proptest! {
        /// However the bytes are split, every frame ends where it was written to end.
        #[test]
        fn frames_end_where_they_were_written_to((sender, bytes, ends) in written(), pieces in prop::collection::vec(1..9_000_usize, 1..9)) {
            let mut frames = Frames::of(sender);
            let (mut at, mut found) = (0, Vec::new());
            for piece in pieces.iter().cycle() {
                if at == bytes.len() {
                    break;
                }
                let end = (at + piece).min(bytes.len());
                while at < end {
                    at += frames.pass(&bytes[at..end]);
                    if frames.place() != Place::WithinFrame {
                        found.push(at);
                    }
                }
            }
            prop_assert_eq!(found, ends);
        }

        /// Any bytes, in pieces of any size, lead to the same place.
        #[test]
        fn the_place_does_not_depend_on_the_pieces(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1..50_usize) {
            for sender in [Sender::Client, Sender::Server] {
                prop_assert_eq!(followed(sender, &bytes, piece), followed(sender, &bytes, bytes.len().max(1)));
            }
        }
    }
}
