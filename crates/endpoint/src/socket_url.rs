//! URLs of Unix sockets: `unix:///run/app.sock`, and for a protocol on one `http+unix:///run/app.sock:/metrics` and the like.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

/// Checks that a socket can have this path: at most 107 bytes, because of the NUL behind it (unix(7)).
pub fn socket_path(path: PathBuf) -> Result<PathBuf, String> {
    const LIMIT: usize = 108;
    if path.as_os_str().len() < LIMIT {
        Ok(path)
    } else {
        Err(format!("a socket's path is shorter than {LIMIT} bytes"))
    }
}

/// The decoded path of a URL without a host. Errors: a host, no path, a NUL, text that is not UTF-8.
pub fn path_without_host(url: &Url) -> Result<PathBuf, String> {
    decoded(absolute_path(url)?)
}

/// Splits the URL into the socket's path and the URL to request there:
/// `http+unix:///run/app.sock:/healthz?a=b` is `/run/app.sock` and `http://localhost/healthz?a=b`.
/// Only the socket's path is decoded, because `%3F` and `%2F` in the other one are no `?` and no
/// `/` for the server.
pub fn split_http_unix(url: &Url) -> Result<(PathBuf, Url), String> {
    let (socket, path) = split_socket(url)?;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let request_url = Url::parse(&format!("http://localhost/{path}{query}")).map_err(|error| error.to_string())?;
    Ok((socket, request_url))
}

/// Splits the URL into the socket's path, and what stands behind it as the URL has it, percent-encoded:
/// `postgres+unix:///run/db.sock:/app` is `/run/db.sock` and `app`.
pub fn split_socket(url: &Url) -> Result<(PathBuf, &str), String> {
    let path = absolute_path(url)?;
    let (socket, rest) = path.split_once(":/").unwrap_or((path, ""));
    Ok((socket_path(decoded(socket)?)?, rest))
}

/// The path as the URL has it, percent-encoded
fn absolute_path(url: &Url) -> Result<&str, String> {
    if matches!(url.host_str(), None | Some("")) && url.path().len() > 1 {
        Ok(url.path())
    } else {
        Err(format!("the path must be absolute: write {}:///PATH", url.scheme()))
    }
}

fn decoded(path: &str) -> Result<PathBuf, String> {
    let path = percent_decode_str(path).decode_utf8().map_err(|_| "the URL is not UTF-8")?;
    if path.contains('\0') {
        return Err("the URL has a NUL (%00), which nothing here can hold".into());
    }
    Ok(path.into_owned().into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_url_is_split_into_the_socket_and_the_request() {
        for (text, socket, asked) in [
            ("http+unix:///run/app.sock:/metrics?a=b", "/run/app.sock", "http://localhost/metrics?a=b"),
            ("http+unix:///run/app.sock", "/run/app.sock", "http://localhost/"),
            ("http+unix:///run/a%20b.sock:/x/y", "/run/a b.sock", "http://localhost/x/y"),
            ("http+unix:///run/app.sock:/a%3Fb%2Fc%00", "/run/app.sock", "http://localhost/a%3Fb%2Fc%00"),
        ] {
            let (path, url) = split_http_unix(&text.parse().unwrap()).unwrap();
            assert_eq!((&*path, url.as_str()), (Path::new(socket), asked), "{text}");
        }
    }

    #[test]
    fn a_url_that_is_no_socket_is_refused_with_the_reason() {
        let long = format!("http+unix:///{}", "x".repeat(108));
        for (text, fault) in [
            ("http+unix://run/app.sock:/metrics", "the path must be absolute: write http+unix:///PATH"),
            ("http+unix:///", "the path must be absolute: write http+unix:///PATH"),
            ("http+unix:///a%00b", "the URL has a NUL (%00), which nothing here can hold"),
            (&long, "a socket's path is shorter than 108 bytes"),
        ] {
            assert_eq!(split_http_unix(&text.parse().unwrap()).unwrap_err(), fault, "{text}");
        }
    }
}
