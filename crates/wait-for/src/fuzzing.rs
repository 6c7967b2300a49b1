//! The door for fuzz targets, which are a crate of their own: answers of servers.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a fuzz target fails")]

use crate::kinds::ldap_wire;

/// Reads any bytes as the content of a message of LDAP.
pub fn ldap(bytes: &[u8]) {
    if let Some(outcome) = ldap_wire::outcome(bytes) {
        assert!(outcome.text.len() <= bytes.len() * 3, "{outcome:?}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_entry_takes_messages_and_what_none_is() {
        for bytes in [&b"\x02\x01\x02\x61\x07\x0a\x01\x31\x04\x00\x04\x00"[..], b"", b"\xff\xff\xff"] {
            super::ldap(bytes);
        }
    }
}
