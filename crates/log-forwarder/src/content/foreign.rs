//! Files whose first bytes say that they hold no lines of this program's encodings.

use std::io;

use super::volume::Handle;

/// Bytes that tell it
const ENOUGH: usize = 2;

/// Why a file that begins so is not read, and what helps
pub(crate) fn foreign(beginning: &[u8]) -> Option<&'static str> {
    // The byte order mark, of either order (The Unicode Standard, section 2.13)
    let is_utf16 = beginning.starts_with(b"\xFF\xFE") || beginning.starts_with(b"\xFE\xFF");
    is_utf16.then_some("it is UTF-16: let the app write UTF-8")
}

/// The same of an open file; one that cannot be read now is judged when it is read.
pub(crate) fn is_foreign(file: &dyn Handle) -> Option<&'static str> {
    let mut beginning = [0; ENOUGH];
    let length = io::Result::unwrap_or_default(file.read_at(&mut beginning, 0));
    foreign(&beginning[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_of_utf16() {
        for text in [&b"\xFF\xFEa\0\n\0"[..], b"\xFE\xFF\0a\0\n", b"\xFF\xFE"] {
            assert!(foreign(text).is_some_and(|reason| reason.contains("UTF-16")));
        }
        for text in [&b""[..], b"\xFF", b"\xEF\xBB\xBFa", "\u{ff}\u{fe}".as_bytes()] {
            assert_eq!(foreign(text), None);
        }
    }
}
