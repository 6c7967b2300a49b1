//! The keys of the handshake (RFC 6455, section 4): they prove that a server has read the request as one for a WebSocket.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

/// The text that the server appends to the key (RFC 6455, section 1.3)
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes of a nonce
pub(crate) const NONCE: usize = 16;

/// A value of `Sec-WebSocket-Key` for these random bytes
pub(crate) fn of(nonce: [u8; NONCE]) -> String {
    BASE64_STANDARD.encode(nonce)
}

/// Whether a text is a value of `Sec-WebSocket-Key`
pub(crate) fn is_key(text: &[u8]) -> bool {
    BASE64_STANDARD.decode(text).is_ok_and(|nonce| nonce.len() == NONCE)
}

/// The value of `Sec-WebSocket-Accept` that answers a key
pub(crate) fn accept(key: &[u8]) -> String {
    // The standard asks for SHA-1, and not for its strength: the answer is no proof of a secret.
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(SUFFIX);
    BASE64_STANDARD.encode(digest.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_that_of_the_standard() {
        // RFC 6455, section 1.3
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(of(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ==") && is_key(of([0xff; NONCE]).as_bytes()));
        for text in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25j",
            "dGhlIHNhbXBsZSBub25jZQ==,x",
            "not base64 at all!!!!==",
        ] {
            assert!(!is_key(text.as_bytes()), "{text}");
        }
    }
}
