//! The part of a URL that may be printed.

use url::Url;

use crate::one_line::one_line;

/// Printed instead of a text that may hold a secret
const HIDDEN: &str = "…";

/// Scheme, host, port and path of a URL, on one line. Of a text that is no URL, only what looks like a path or a host and
/// its port, because everything else may be a password.
pub fn url_label(text: &str) -> String {
    let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
    // Words behind a blank may be another URL, and a password may have a blank in it.
    let (first_word, other_words) = url.split_once(char::is_whitespace).unwrap_or((url, ""));
    // A password with a `/`, `?` or `#` in it: what looks like the host and its port then are the user and a part of the
    // password. A path can have an `@`, too, but looks alike; written as %40 it is shown.
    let is_torn = |read: &Url| {
        let names_no_option = |options: &str| options.split(['=', '&']).next().is_some_and(|name| name.contains('@'));
        let has_login = !url.split_once("://").is_some_and(|(_, path)| path.starts_with('/'));
        let is_cut =
            read.path().contains('@') || read.query().is_some_and(names_no_option) || names_no_option(fragment);
        other_words.contains('@') || has_login && is_cut
    };
    match Url::parse(url) {
        Ok(read) if read.has_authority() && !is_torn(&read) => {
            let host = read.host_str().unwrap_or_default();
            let port = read.port().map(|port| format!(":{port}")).unwrap_or_default();
            // The parser adds a root, also where the URL has none.
            let is_bare = read.path() == "/" && !url.split('?').next().is_some_and(|url| url.ends_with('/'));
            one_line(&format!("{}://{host}{port}{}", read.scheme(), if is_bare { "" } else { read.path() }))
        }
        _ if text.is_empty() => String::new(),
        // No port: perhaps a password whose host is missing
        _ if text.contains('@') || has_odd_port(first_word) => match url.split_once("://") {
            Some((scheme, _)) => one_line(&format!("{scheme}://{HIDDEN}")),
            None => HIDDEN.into(),
        },
        _ if first_word.contains("://") || url.starts_with('/') || is_host_and_port(url) => {
            one_line(first_word.split('?').next().unwrap_or_default())
        }
        _ => HIDDEN.into(),
    }
}

/// Whether something else than a port stands behind the host of a URL.
fn has_odd_port(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(']').map_or(authority, |(_, port)| port).split_once(':');
    port.is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text is a host's name and a port, such as `db:5432`.
fn is_host_and_port(text: &str) -> bool {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    text.rsplit_once(':').is_some_and(|(host, port)| host.chars().all(is_of_a_name) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_be_printed() {
        for (text, printed) in [
            ("https://user:pass@api:8443/healthz?token=x#header=Authorization: y", "https://api:8443/healthz"),
            ("http://127.0.0.1:1/x?token=abc@SECRET", "http://127.0.0.1:1/x"),
            ("http://127.0.0.1:1/@scope/pkg", "http://…"),
            ("http://127.0.0.1:1/%40scope/pkg", "http://127.0.0.1:1/%40scope/pkg"),
            ("http://h/#header=X: abc@SECRET&bad=1", "http://h/"),
            ("http://h?a=b", "http://h"),
            ("tcp://[::1]:80", "tcp://[::1]:80"),
            ("tcp://db:99999", "tcp://db:99999"),
            ("redis://:SECRET", "redis://…"),
            ("redis://app:SECRET/0", "redis://…"),
            ("kafka://h1:9092,h2:9092", "kafka://…"),
            ("tcp://db:99999?token=SECRET", "tcp://db:99999"),
            ("unix:///run/a@b.sock#stable=2", "unix:///run/a@b.sock"),
            ("postgres://u:SECRET/a@ss@db:5432/app", "postgres://…"),
            ("mysql://root:12#34SECRET@db", "mysql://…"),
            ("mysql://root:12?34SECRET@db", "mysql://…"),
            ("mysql://root:12/34SECRET@db", "mysql://…"),
            ("redis://:/SECRET@db", "redis://…"),
            ("http://user:/SECRET@db/x", "http://…"),
            ("http://user:S@ECR/ET@db/x", "http://…"),
            ("nats://TOKEN/SECRET@db", "nats://…"),
            ("u:SECRET@db", "…"),
            ("db:5432", "db:5432"),
            ("/run/x", "/run/x"),
            ("tcp://db:1 SECRET", "tcp://db:1"),
            ("http://h/x http://u:SECRET@h", "http://…"),
            ("mysql://root:12 34SECRET@db", "mysql://…"),
            ("file:///data/x http://u:SECRET@h", "file://…"),
            ("file:///data/my file", "file:///data/my%20file"),
            ("SECRET", "…"),
            ("token=SECRET", "…"),
            ("data:SECRET", "…"),
            ("", ""),
        ] {
            assert_eq!(url_label(text), printed, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_label_holds_the_password(
            scheme in "(tcp|http|mysql|tpc)",
            user in "([a-z]{0,3}:|[a-z])[0-9]{0,3}[a-z/?#@: ]{0,2}",
            host in "[a-z%:/@]{0,9}",
            query in "(\\?[a-z]*=hunter2@?[a-z]*)?",
            fragment in "[a-z=&]{0,9}(=hunter2(@[a-z]*)?)?",
        ) {
            let text = format!("{scheme}://{user}hunter2@{host}{query}#{fragment}");
            prop_assert!(!url_label(&text).contains("hunter2"));
        }
    }
}
