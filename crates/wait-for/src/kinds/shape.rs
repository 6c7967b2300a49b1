//! Parts that the URLs of some kinds cannot have. To ignore them would be a silent misreading:
//! `?sslmode=require` without TLS.

use url::Url;

use crate::wire;

/// Refuses a query; `example` is an option of this kind.
pub(super) fn no_query(url: &Url, example: &str) -> Result<(), String> {
    match url.query() {
        None => Ok(()),
        Some(_) => Err(format!("a {} target has no query: options stand behind #, such as #{example}", url.scheme())),
    }
}

/// Refuses a path. It is not repeated, because it can be a part of a password.
pub(super) fn no_path(url: &Url) -> Result<(), String> {
    wire::no_torn_password(url)?;
    if matches!(url.path(), "" | "/") { Ok(()) } else { Err(format!("a {} target has no path", url.scheme())) }
}

/// Refuses a user and a password.
pub(super) fn no_login(url: &Url) -> Result<(), String> {
    if url.username().is_empty() && url.password().is_none() {
        Ok(())
    } else {
        Err(format!("a {} target has no login: leave out what stands before the @", url.scheme()))
    }
}
