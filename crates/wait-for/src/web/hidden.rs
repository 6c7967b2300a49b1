//! The query of a URL, which no message holds.

use std::cmp::Reverse;

use lifecycle::Secret;
use url::form_urlencoded;

/// Removes the parts of a query from a server's text, because the server may repeat the query.
pub(crate) fn without_query(text: &str, query: &str) -> String {
    let decoded = form_urlencoded::parse(query.as_bytes()).flat_map(|(name, value)| [name, value]);
    let raw = query.split('&').flat_map(|pair| [pair].into_iter().chain(pair.split('=')));
    let mut parts: Vec<Secret> = decoded.map(|part| Secret::from(&*part)).chain(raw.map(Secret::from)).collect();
    // A short one can be the start of a longer one.
    parts.sort_by_key(|part| Reverse(part.expose().len()));
    parts.iter().fold(text.to_owned(), |text, part| part.blotted_out(&text))
}
