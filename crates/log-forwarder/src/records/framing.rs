//! Where a batch of lines ends: pure, on the bytes that were read.

use memchr::{memchr, memrchr};

/// The next step with the bytes at a cursor
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// This number of bytes is whole lines, each with its newline.
    Lines(usize),
    /// This number of bytes is the beginning of a line that is too long; the rest up to its newline
    /// is to be skipped.
    Cut(usize),
    /// This number of bytes is the last line, which will never get its newline.
    Unfinished(usize),
    /// This number of bytes belongs to a line that was cut, with the end of the line or without it.
    Skip { length: usize, ended: bool },
    /// No line ends here.
    Partial,
}

/// Looks at bytes that begin a line, or, when `skipping`, that stand within one that was cut.
/// `last` says that nothing will follow them. No line of the result has more than `longest` bytes,
/// its newline not counted.
pub(crate) fn frame(bytes: &[u8], longest: usize, skipping: bool, last: bool) -> Frame {
    if skipping {
        return match memchr(b'\n', bytes) {
            Some(newline) => Frame::Skip { length: newline + 1, ended: true },
            None if bytes.is_empty() => Frame::Partial,
            None => Frame::Skip { length: bytes.len(), ended: false },
        };
    }
    let mut lines = 0;
    // The last newline within the longest line from here is found at once, wherever the others are.
    while let Some(newline) = memrchr(b'\n', &bytes[lines..bytes.len().min(lines + longest + 1)]) {
        lines += newline + 1;
    }
    let rest = &bytes[lines..];
    match () {
        () if lines > 0 => Frame::Lines(lines),
        () if rest.len() > longest => Frame::Cut(whole_characters(&rest[..longest])),
        () if last && !rest.is_empty() => Frame::Unfinished(rest.len()),
        () => Frame::Partial,
    }
}

/// The length without the beginning of a UTF-8 character that ends beyond; never zero.
fn whole_characters(bytes: &[u8]) -> usize {
    let is_continuation = |byte: &u8| byte & 0xC0 == 0x80;
    let continuations = bytes.iter().rev().take(3).take_while(|byte| is_continuation(byte)).count();
    let Some(start) = bytes.len().checked_sub(continuations + 1) else { return bytes.len() };
    let length = match bytes[start] {
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    };
    if length > continuations + 1 && start > 0 { start } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_partial_and_unfinished() {
        assert_eq!(frame(b"one\ntwo\nth", 9, false, false), Frame::Lines(8));
        assert_eq!(frame(b"th", 9, false, false), Frame::Partial);
        assert_eq!(frame(b"th", 9, false, true), Frame::Unfinished(2));
        assert_eq!(frame(b"", 9, false, true), Frame::Partial);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_skipped() {
        assert_eq!(frame(b"0123456789\nx\n", 10, false, false), Frame::Lines(13));
        assert_eq!(frame(b"01234567890\nx\n", 10, false, false), Frame::Cut(10));
        assert_eq!(frame(b"x\n01234567890\n", 10, false, false), Frame::Lines(2));
        assert_eq!(frame("0123456789é".as_bytes(), 11, false, false), Frame::Cut(10));
        assert_eq!(frame(b"0\nx\n", 10, true, false), Frame::Skip { length: 2, ended: true });
        assert_eq!(frame(b"0123", 10, true, false), Frame::Skip { length: 4, ended: false });
    }

    /// All of a text, read through a window of some bytes, as lines; what was skipped is left out
    fn lines(text: &[u8], longest: usize, window: usize) -> Vec<Vec<u8>> {
        let (mut at, mut skipping, mut size, mut found) = (0, false, window, Vec::new());
        while at < text.len() {
            let bytes = &text[at..text.len().min(at + size)];
            let last = at + bytes.len() == text.len();
            let length = match frame(bytes, longest, skipping, last) {
                Frame::Lines(length) => {
                    found.extend(bytes[..length - 1].split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
                    length
                }
                Frame::Cut(length) => {
                    skipping = true;
                    found.push(bytes[..length].to_vec());
                    length
                }
                Frame::Unfinished(length) => {
                    found.push(bytes[..length].to_vec());
                    length
                }
                Frame::Skip { length, ended } => {
                    skipping = !ended;
                    length
                }
                Frame::Partial => {
                    size = (size * 2).min(longest + 1);
                    continue;
                }
            };
            (at, size) = (at + length, window);
        }
        found
    }

    proptest! {
        #[test]
        fn every_line_is_found_however_it_is_read(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(0xC3), Just(0xA9)], 0..200),
            longest in 4..40usize,
            window in 1..60usize,
        ) {
            let expected = text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n');
            let expected: Vec<_> = expected.collect();
            let found = lines(&text, longest, window);
            prop_assert_eq!(found.len(), if text.is_empty() { 0 } else { expected.len() });
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!(expected.starts_with(found));
                prop_assert!(found.len() <= longest);
                prop_assert!(found.len() == expected.len() || found.len() + 4 > longest);
            }
        }
    }
}
