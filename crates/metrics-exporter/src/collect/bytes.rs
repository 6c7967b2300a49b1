//! Text for file names and other bytes of the system that need not be UTF-8.

use std::{ffi::OsStr, fmt::Write as _, os::unix::ffi::OsStrExt as _};

/// The name, with `\\xe9` for the byte e9 outside of UTF-8, because labels hold UTF-8 only and two names must not become one.
pub(crate) fn text_of(name: impl AsRef<OsStr>) -> String {
    let mut text = String::new();
    for chunk in name.as_ref().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_apart() {
        let text = |name: &[u8]| text_of(OsStr::from_bytes(name));
        assert_eq!(text("/data/grün 日".as_bytes()), "/data/grün 日");
        assert_eq!(text(b"/mnt/caf\xe9/\xe5\x90."), "/mnt/caf\\xe9/\\xe5\\x90.");
        assert_ne!(text(b"a\xe9"), text(b"a\xe8"));
    }
}
