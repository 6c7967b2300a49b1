//! `KEY='value'`, so that sh, Docker Compose, python-dotenv and Node's dotenv read the same value.
//!
//! Their grammars differ where a value holds quotes, backslashes or dollars. A value gets the quotes in which all of them agree,
//! or it is refused.

/// Names that a shell accepts (POSIX, "Name")
pub(super) fn refuse_key(key: &str) -> Option<&'static str> {
    let is_name = !key.is_empty()
        && !key.starts_with(|first: char| first.is_ascii_digit())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (!is_name).then_some("a variable's name has letters, digits and underscores, and does not begin with a digit")
}

/// The parts of a row
pub(super) fn row<'a>(key: &'a str, value: &'a str) -> Result<[&'a str; 5], &'static str> {
    if value.contains(['\0', '\r']) {
        return Err("holds a control character that no reader keeps");
    }
    if !value.contains('\'') {
        // python-dotenv expands this between all quotes.
        if value.contains("${") {
            return Err("holds ${, which some readers expand");
        }
        // python-dotenv and Compose take it for an escape.
        if value.contains("\\\\") || value.ends_with('\\') {
            return Err("holds two backslashes or ends in one, which some readers take for an escape");
        }
        return Ok([key, "='", value, "'", "\n"]);
    }
    if value.contains(['"', '\\', '$', '`', '!']) {
        return Err("holds a single quote beside a double quote, backslash, dollar, backtick or exclamation mark");
    }
    Ok([key, "=\"", value, "\"", "\n"])
}
