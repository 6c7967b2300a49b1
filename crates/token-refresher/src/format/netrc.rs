//! A row of a netrc file, in the words that curl, Git, Python, Go and wget read alike: without quotes.

/// Why a text is no word of this grammar
pub(super) fn unfit(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("is empty");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("holds spaces, line ends or control characters, between which readers see words");
    }
    // curl and Python take quotes and backslashes for escapes, Go and older ones take them as they are.
    if text.contains(['"', '\\']) {
        return Some("holds a double quote or a backslash, which readers treat differently");
    }
    text.starts_with('#').then_some("begins with #, which readers take for a comment")
}
