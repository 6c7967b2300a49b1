//! Names of headers that an app may take for one another: CGI, WSGI and Rack read `_` as `-`.

use http::{HeaderMap, HeaderName};

/// Whether an app may take one name for the other, although they differ.
pub(crate) fn is_mimic(name: &HeaderName, of: &str) -> bool {
    let (name, of) = (name.as_str().as_bytes(), of.as_bytes());
    let is_hyphen = |byte: u8| byte == b'-' || byte == b'_';
    name.len() == of.len() && name != of && name.iter().zip(of).all(|(a, b)| a == b || is_hyphen(*a) && is_hyphen(*b))
}

/// Removes headers that an app may take for one with these names; those with the names themselves stay.
pub(crate) fn remove_mimics<'a, N: Iterator<Item = &'a HeaderName>>(headers: &mut HeaderMap, of: impl Fn() -> N) {
    let is_one = |name: &&HeaderName| of().any(|known| is_mimic(name, known.as_str()));
    let mimics: Vec<_> = headers.keys().filter(is_one).cloned().collect();
    for name in mimics {
        headers.remove(name);
    }
}
