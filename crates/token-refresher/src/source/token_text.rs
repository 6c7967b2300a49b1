//! The characters of a token.

/// Whether a text has the characters of a token only (RFC 6749, appendix A.12 and A.17): a line end would reach into the next
/// line of a file, or the next header.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
