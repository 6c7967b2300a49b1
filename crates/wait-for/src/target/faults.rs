//! Faults of a URL, and how to write it. No message repeats a part that may be a secret.

use url::{ParseError, Url};

use crate::schemes::Scheme;

const SEVERAL: &str = "this looks like several targets: each is an argument, a line of the variable, or an item of the file; \
    a URL in the path of one has %3A// in place of ://";

/// The first target, where the text is a list that a parser would take for one URL: the rest would
/// be the database of the first, or its path. A query may hold any other URL.
pub(super) fn first_of_list(text: &str) -> Option<&str> {
    let url = text.split('#').next().unwrap_or_default();
    let query = url.find('?').unwrap_or(url.len());
    let is_target = |rest: &str| {
        let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "'\"".contains(c));
        let name = rest.split_once("://").map(|(name, _)| name.to_ascii_lowercase());
        name.is_some_and(|name| Scheme::named(&name).is_some())
    };
    let is_between = |c: char| c.is_whitespace() || ",;|".contains(c);
    // Of these, no query has a blank.
    let is_next = |(at, c): &(usize, &str)| (*at < query || c.trim().is_empty()) && is_target(&url[at + c.len()..]);
    let (at, _) = url.match_indices(is_between).find(is_next)?;
    Some(&url[..at])
}

/// Refuses a list.
pub(super) fn refuse_list(text: &str) -> Result<(), String> {
    match first_of_list(text) {
        Some(_) => Err(SEVERAL.into()),
        None => Ok(()),
    }
}

/// Reads a URL. An error is text for people.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    let path = text.split_once("://").and_then(|(_, rest)| rest.find(['/', '?']).map(|at| &rest[at..]));
    if path.is_some_and(has_torn_escape) {
        return Err("a % in the URL is not followed by two hexadecimal digits: write it as %25".into());
    }
    if let Some(fault) = torn_by_the_manifest(text) {
        return Err(fault.into());
    }
    Url::parse(text).map_err(|error| match error {
        _ if text.matches("://").count() > 1 => SEVERAL.into(),
        ParseError::InvalidPort | ParseError::EmptyHost if is_bare_ipv6(text) => {
            "an IPv6 address stands in brackets: write [::1]:PORT".into()
        }
        ParseError::InvalidPort => "the port is not a number from 1 to 65535".into(),
        ParseError::EmptyHost => match text.split_once("://") {
            Some((name, _)) if name.ends_with("+unix") => {
                format!("a socket's URL has no host and no @: write {name}:///PATH#user=NAME")
            }
            _ => "the host is missing".into(),
        },
        error => error.to_string(),
    })
}

/// The fault of a manifest or a shell that shows in the text itself. Such a text can be a URL all
/// the same.
fn torn_by_the_manifest(text: &str) -> Option<&'static str> {
    let (scheme, rest) = text.split_once("://")?;
    let is_argument = |(_, rest): (&str, &str)| rest.trim_start().starts_with('-');
    if rest.split_once(char::is_whitespace).is_some_and(is_argument) {
        return Some("this looks like several arguments in one: each is an item of its own in the list");
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    if host.contains('$') || ["$(", "${"].iter().any(|open| rest[end..].contains(open)) {
        return Some(
            "a variable was not replaced: in a manifest, $(NAME) needs NAME under env: of the same container, \
             and no shell replaces $NAME",
        );
    }
    // The parser would take the first name of the path for the host.
    let has_host = !rest.starts_with('/') || !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str());
    if has_host { None } else { Some("the host is missing") }
}

/// For a text without `://`
pub(super) fn no_url(text: &str) -> String {
    match text.split_once(":/") {
        Some((name @ ("file" | "unix" | "http+unix"), path)) => {
            let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
            let path = if path.bytes().all(is_usual) { path } else { "PATH" };
            format!("the path stands behind three slashes: write {name}:///{path}")
        }
        _ if text.starts_with('/') => "a target is a URL, such as file:///PATH or unix:///PATH".into(),
        _ => "a target is a URL, such as tcp://db:5432".into(),
    }
}

/// A `%` that a server would take for itself, or refuse
fn has_torn_escape(path: &str) -> bool {
    path.split('%')
        .skip(1)
        .any(|rest| !rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// Whether what should be a host and a port has the colons of an IPv6 address, and no login before
/// it
fn is_bare_ipv6(text: &str) -> bool {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    authority.matches(':').count() > 1 && authority.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_remedy() {
        for (text, words) in [
            ("tcp://::1:1", "write [::1]:PORT"),
            ("tcp://fe80::1:80", "write [::1]:PORT"),
            ("tcp://a:1 tcp://b:2", "several targets"),
            ("tcp://a:1,tcp://b:2", "several targets"),
            ("http://h/%zz", "write it as %25"),
            ("http://h/a?b=%", "write it as %25"),
            ("tcp://db:x", "the port is not a number"),
            ("mysql://db/app --timeout=2m", "several arguments"),
            ("postgres://db:5432/app -- /app", "several arguments"),
            ("tcp://$(DB_HOST):5432", "was not replaced"),
            ("tcp://db:${PORT}", "was not replaced"),
            ("http://$HOST/healthz", "was not replaced"),
            ("file:///data/$(NAME)", "was not replaced"),
            ("http:///healthz", "the host is missing"),
            ("HTTPS:///healthz", "the host is missing"),
        ] {
            let fault = parse_url(text).unwrap_err();
            assert!(fault.contains(words), "{text}: {fault}");
        }
        for text in ["http://h/%41?a=%2F", "http://h/?u=http://b/", "http://h/$a", "http://u:p$(w@h/", "file:///a b"] {
            assert!(parse_url(text).is_ok(), "{text}");
        }
        for list in [
            "postgres://a,mysql://b",
            "mysql://a/app;tcp://b:1",
            "file:///x, redis://:hunter2@h",
            "http://a/ http://b/",
            "kubernetes://jobs/x,REDIS://h",
            "file:///x\tredis://:hunter2@h",
            "file:///x,\"redis://:hunter2@h\"",
            "file:///x|redis://:hunter2@h",
            "http://a/?full=1 http://b/",
        ] {
            assert_eq!(refuse_list(list).unwrap_err(), SEVERAL, "{list}");
        }
        for one in
            ["postgres://a,b:5433/app", "http://a/x,y?to=b,http://c/", "http://a/b,c://d", "http://a/b,http%3A//c"]
        {
            assert_eq!(refuse_list(one), Ok(()), "{one}");
        }
        assert!(no_url("file:/data/ready").ends_with("write file:///data/ready"));
        assert!(no_url("unix:/a b").ends_with("write unix:///PATH"));
    }
}
