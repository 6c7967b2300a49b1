//! The places of a URL.

use crate::secret::{plain, spellings};

/// Fragment options that may hold a secret, or that stand where one may be written by mistake
const OPTIONS: [&str; 16] = [
    "header=X-Api-Key: ",
    "password=",
    "header=X-Api-Key: open&status=",
    "",
    "header=Authorization: Bearer ",
    "header=",
    "header=X Y: ",
    "headr=X-Api-Key: ",
    "header-file=X:",
    "pasword=",
    "token=",
    "token-file=",
    "body-regex=(",
    "json=",
    "stable=",
    "as=",
];

/// URLs of this scheme with the secret in each place, and the name of the place. Host and path are no such places: errors
/// name the server.
pub(crate) fn urls(scheme: &str) -> Vec<(String, String)> {
    // Schemes share the parsers of URLs and of options, so a few options show that each scheme uses them.
    urls_with(scheme, &[plain()], &OPTIONS[..4])
}

/// The same with every option and every spelling of the secret, for one scheme of each helper
pub(crate) fn urls_in_every_spelling(scheme: &str) -> Vec<(String, String)> {
    urls_with(scheme, &spellings(), &OPTIONS)
}

fn urls_with(scheme: &str, spellings: &[String], options: &[&str]) -> Vec<(String, String)> {
    let mut urls = Vec::new();
    for secret in spellings {
        let place = |place: &str, rest: String| (format!("{place} of {scheme}"), format!("{scheme}://{rest}"));
        for end in ["127.0.0.1:1/x#nosuch=1", "127.0.0.1:99999/x", "/none/x"] {
            urls.push(place("the password", format!("user:{secret}@{end}")));
            urls.push(place("the user", format!("{secret}@{end}")));
            urls.push(place("the query", format!("{end}?token={secret}")));
        }
        let server = "127.0.0.1:1/x";
        for option in options {
            urls.push(place("a fragment option", format!("{server}#{option}{secret}")));
            urls.push(place("a fragment option", format!("{server}#{option}{secret}&nosuch=1")));
        }
        urls.push(place("a bare fragment option", format!("{server}#{secret}=1")));
        urls.push(place("a bad escape", format!("{server}#header=X: {secret}%zz")));
        urls.push(place("a line break", format!("{server}#header=X: {secret}%0a{secret}")));
        urls.push(place("a NUL", format!("{server}#header=X: {secret}%00")));
        urls.push(place("the password before several hosts", format!("user:{secret}@127.0.0.1:1,127.0.0.1:2")));
        urls.push(place("a bracket", format!("user:{secret}@[::1/x")));
    }
    let secret = plain();
    urls.push(("no scheme".to_owned(), format!("user:{secret}@127.0.0.1:1/x")));
    urls.push(("an unknown scheme".to_owned(), format!("x{scheme}://user:{secret}@127.0.0.1:1/x#token={secret}")));
    if !["file", "unix"].contains(&scheme) {
        urls.push(("one slash".to_owned(), format!("{scheme}:/user:{secret}@127.0.0.1:1/x")));
    }
    urls
}

/// A YAML entry of a list with such a URL: as text, and with options beside the URL
pub(crate) fn entries(list: &str, urls: &[(String, String)]) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    for (place, url) in urls {
        let quoted = url.replace('\'', "''");
        entries.push((place.clone(), format!("{list}:\n- '{quoted}'\n")));
        entries.push((place.clone(), format!("{list}: '{quoted}'\n")));
        let (server, fragment) = quoted.split_once('#').unwrap_or((&quoted, "nosuch=x"));
        let (name, value) = fragment.split_once('=').unwrap_or((fragment, "x"));
        entries.push((place.clone(), format!("{list}:\n- url: '{server}'\n  '{name}': '{value}'\n")));
    }
    entries
}
