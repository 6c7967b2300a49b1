//! Where a stream of server-sent events can end, so that no event is cut (HTML Standard, section 9.2.5).
//!
//! Lines end in LF, CR or CRLF, mixed at will; an empty line ends an event. Lines that begin with a colon are comments, and of no
//! event.

/// Follows a stream that arrives in pieces of any size
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    place: Place,
    /// Whether a line of an event has begun, and no empty line has come since
    has_begun: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    BeginOfLine,
    /// The same behind a CR: an LF here belongs to it
    BehindReturn,
    WithinLine,
}

impl Events {
    /// Whether no event is under way
    pub(crate) fn is_between(&self) -> bool {
        self.place != Place::WithinLine && !self.has_begun
    }

    /// Goes on through all of these bytes.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(at) = self.pass_line_byte(rest) {
            rest = &rest[at..];
        }
    }

    /// Goes on through these bytes to the first place where no event is under way; its place among them, if there is one.
    pub(crate) fn pass_to_end_of_event(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut passed = 0;
        while let Some(at) = self.pass_line_byte(&bytes[passed..]) {
            passed += at;
            if self.is_between() {
                return Some(passed);
            }
        }
        None
    }

    /// Goes on through a byte at the begin or the end of a line, and all bytes before it; their number, if there is such a byte.
    fn pass_line_byte(&mut self, bytes: &[u8]) -> Option<usize> {
        let at = if self.place == Place::WithinLine { memchr::memchr2(b'\n', b'\r', bytes)? } else { 0 };
        let byte = *bytes.get(at)?;
        let is_within = self.place == Place::WithinLine;
        self.place = match byte {
            b'\n' if self.place == Place::BehindReturn => Place::BeginOfLine,
            b'\n' | b'\r' => {
                self.has_begun &= is_within;
                if byte == b'\n' { Place::BeginOfLine } else { Place::BehindReturn }
            }
            _ => {
                self.has_begun |= byte != b':';
                Place::WithinLine
            }
        };
        Some(at + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All places where the stream can end, found byte by byte
    fn ends(stream: &[u8]) -> Vec<usize> {
        let mut events = Events::default();
        let mut is_end = |at: &usize| {
            if *at > 0 {
                events.pass(&stream[at - 1..*at]);
            }
            events.is_between()
        };
        (0..=stream.len()).filter(|at| is_end(at)).collect()
    }

    #[test]
    fn an_event_ends_with_an_empty_line() {
        for (stream, expected) in [
            ("data: a\n\ndata: b\n\n", &[0, 9, 18][..]),
            ("data: a\r\n\r\n", &[0, 10, 11]),
            ("data: a\r\rid: 1\r\r", &[0, 9, 16]),
            ("data: a\r\n\ndata\n\r", &[0, 10, 16]),
            ("data: a\r\n", &[0]),
            ("\n\r\n\r", &[0, 1, 2, 3, 4]),
            // The LF ends no line of its own.
            ("a\r\nb\r\n", &[0]),
            // Comments are of no event.
            (":\n: ping\r\n\n", &[0, 2, 9, 10, 11]),
            ("data: a\n: ping\n\n", &[0, 16]),
            ("", &[0]),
        ] {
            assert_eq!(ends(stream.as_bytes()), expected, "{stream:?}");
        }
    }

    #[test]
    fn the_first_end_within_a_piece_is_found() {
        let mut events = Events::default();
        events.pass(b"data: a\nda");
        assert!(!events.is_between());
        assert_eq!(events.pass_to_end_of_event(b"ta: b"), None);
        assert_eq!(events.pass_to_end_of_event(b"\n"), None);
        assert_eq!(events.pass_to_end_of_event(b"\ndata: c\n\n"), Some(1));
        assert!(events.is_between());
    }

    /// The events that a browser gets: the blocks of lines that an empty line ends, without
    /// comments
    fn dispatched(stream: &str) -> Vec<String> {
        let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
        let (mut events, mut block) = (Vec::new(), String::new());
        for line in lines.split_inclusive('\n').filter(|line| line.ends_with('\n') && !line.starts_with(':')) {
            match line {
                "\n" if block.is_empty() => (),
                "\n" => events.push(std::mem::take(&mut block)),
                line => block += line,
            }
        }
        events
    }

    proptest! {
        /// However the stream is split, it can end at the same places; an end there loses nothing that came before it, and every event
        /// of the stream has such an end.
        #[test]
        fn an_end_cuts_no_event(stream in "[a:\r\n]{0,40}", piece in 1..9_usize) {
            let ends = ends(stream.as_bytes());
            let (mut events, mut found, mut base) = (Events::default(), vec![0], 0);
            for bytes in stream.as_bytes().chunks(piece) {
                let mut at = 0;
                while let Some(passed) = events.pass_to_end_of_event(&bytes[at..]) {
                    at += passed;
                    found.push(base + at);
                }
                base += bytes.len();
            }
            prop_assert_eq!(&found, &ends);
            for end in &ends {
                let mut both = dispatched(&stream[..*end]);
                // An LF that belongs to a CR in front of the end says nothing more.
                both.extend(dispatched(&stream[*end..]));
                prop_assert_eq!(both, dispatched(&stream), "{:?} at {}", stream, end);
            }
            prop_assert!(ends.len() > dispatched(&stream).len());
        }
    }
}
