//! Parts that the URLs of some kinds cannot have. To ignore them would be a silent misreading: `?sslmode=require` without TLS.

use url::Url;

/// Refuses a query; `example` is an option of this kind.
pub(super) fn no_query(url: &Url, example: &str) -> Result<(), String> {
    match url.query() {
        None => Ok(()),
        Some(_) => Err(format!("a {} target has no query: options stand behind #, such as #{example}", url.scheme())),
    }
}

/// Refuses a path. It is not repeated, because it can be a part of a password.
pub(super) fn no_path(url: &Url) -> Result<(), String> {
    no_torn_password(url)?;
    if matches!(url.path(), "" | "/") { Ok(()) } else { Err(format!("a {} target has no path", url.scheme())) }
}

/// Refuses a password with a `/` in it, because a URL ends the login there: the user would be asked for as a host.
pub(crate) fn no_torn_password(url: &Url) -> Result<(), String> {
    if url.path().contains('@') {
        Err("in a password / is written as %2F, and in a path @ as %40".into())
    } else {
        Ok(())
    }
}

/// Refuses a user and a password.
pub(super) fn no_login(url: &Url) -> Result<(), String> {
    if url.username().is_empty() && url.password().is_none() {
        Ok(())
    } else {
        Err(format!("a {} target has no login: leave out what stands before the @", url.scheme()))
    }
}
