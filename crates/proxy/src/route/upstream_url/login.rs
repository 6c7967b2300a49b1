//! The login of an upstream: headers that each request gets, from files that token-refresher keeps fresh.
//!
//! No request waits for a file. A follower looks at the files beside the data path, and swaps the headers whole.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use endpoint::{Failure, LOGIN_OPTIONS, LoginHeaders, Options, UrlLogin};
use http::{
    HeaderMap, HeaderName,
    header::{
        CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, MAX_FORWARDS, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
    },
};

use crate::{head::spelling, refusal::Refusal};

/// Headers that frame the message, or are the proxy's own to set
pub(crate) const RESERVED: [HeaderName; 14] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    FORWARDED,
    HOST,
    HeaderName::from_static("keep-alive"),
    MAX_FORWARDS,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-status"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    VIA,
];

/// A login as it is written, and the headers that it is now. Two are equal that are written equally.
pub(crate) struct Login {
    written: Options,
    headers: LoginHeaders,
    current: RwLock<Option<Arc<HeaderMap>>>,
}

impl Login {
    /// Of an upstream's options; there is no login where none of them sets a header.
    pub(crate) fn of(options: Options) -> Result<Option<Self>, String> {
        let (written, mut options) = (options.clone(), options);
        let headers = LoginHeaders::from_options(&mut options, UrlLogin::default(), &RESERVED)?;
        let names: Vec<_> = option_names().chain(super::option_names()).collect();
        options.finish("an upstream", &names, Some("write https://"))?;
        let sets_headers = headers.sources().next().is_some();
        Ok(sets_headers.then(|| Self { written, headers, current: RwLock::default() }))
    }

    /// The headers that it sets, and the file that each comes from
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&HeaderName, Option<&Path>)> {
        self.headers.sources()
    }

    /// The files, as `check` looks at them
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.headers.files().map(Path::to_owned)
    }

    /// Whether requests can be sent
    pub(crate) fn is_there(&self) -> bool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Looks at the files, which endpoint does once a second at most. Returns why one of them cannot be used, also where its
    /// former content stays in use. The login ends when a file is gone for longer than endpoint's grace.
    pub(crate) async fn look(&self) -> Option<Failure> {
        match self.headers.current().await {
            Ok(headers) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                if current.as_deref() != Some(&headers) {
                    *current = Some(headers.into());
                }
                drop(current);
                self.headers.fault()
            }
            Err(failure) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
                Some(failure)
            }
        }
    }

    /// Puts the headers into a request, in place of those that its client has sent in any spelling.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let login = current.ok_or(Refusal::NoLogin)?;
        self.clear(headers);
        for (name, value) in &*login {
            headers.append(name, value.clone());
        }
        Ok(())
    }

    /// Removes the headers that it sets, in any spelling.
    pub(crate) fn clear(&self, headers: &mut HeaderMap) {
        let names = || self.headers().map(|(name, _)| name);
        spelling::remove_mimics(headers, names);
        for name in names() {
            headers.remove(name);
        }
    }
}

/// The names of the options
pub(crate) fn option_names() -> impl Iterator<Item = &'static str> {
    LOGIN_OPTIONS.into_iter().map(|option| option.split_once('=').map_or(option, |(name, _)| name))
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Login {}

/// Only the files: a value may be a secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries(self.headers.files()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use http::HeaderValue;

    use super::*;

    fn login(fragment: &str) -> Result<Option<Login>, String> {
        Login::of(Options::from_fragment(fragment).unwrap())
    }

    #[tokio::test]
    async fn a_login_replaces_what_the_client_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let login = login(&format!("header-file=X-Api-Key:{}&header=X-Team: blue", path.display())).unwrap().unwrap();
        let mut headers = HeaderMap::new();
        for name in ["x-api-key", "x_api_key", "x_team", "x-other", "x_other"] {
            headers.append(name, HeaderValue::from_static("theirs"));
            headers.append(name, HeaderValue::from_static("theirs too"));
        }
        assert!(login.look().await.is_some() && !login.is_there());
        assert_eq!(login.apply(&mut headers.clone()), Err(Refusal::NoLogin));
        fs::write(&path, "ours\n").unwrap();
        endpoint::read_files_again();
        assert_eq!((login.look().await, login.is_there()), (None, true));
        login.apply(&mut headers).unwrap();
        let values = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!((values("x-api-key"), values("x-team")), (vec!["ours"], vec!["blue"]));
        assert_eq!((values("x_api_key").len(), values("x_team").len(), values("x_other").len()), (0, 0, 2));
        // A content that cannot be used changes nothing, and is a fault.
        fs::write(&path, "two\nlines\n").unwrap();
        endpoint::read_files_again();
        assert!(login.look().await.is_some_and(|fault| !fault.to_string().contains("lines\n")));
        login.apply(&mut headers).unwrap();
        assert_eq!(headers["x-api-key"], "ours");
    }

    #[test]
    fn logins_as_they_are_written() {
        assert_eq!(login(""), Ok(None));
        assert!(login("token-file=/a").unwrap() == login("token-file=/a").unwrap());
        assert!(login("token-file=/a").unwrap() != login("token-file=/b").unwrap());
        assert!(login("header=Host:x").unwrap_err().contains("host is not yours to set"));
        assert_eq!(
            login("token-fil=/a").unwrap_err(),
            "an upstream has no option \"token-fil\"; did you mean token-file?"
        );
        assert_eq!(login("ca=/a").unwrap_err(), "option ca is for TLS only: write https://");
        let both = login("token-file=/a&user=me&password-file=/b").unwrap_err();
        assert_eq!(both, "a token and a user or a password exclude each other");
        let debug = format!("{:?}", login("header=X:secret&user=me&password-file=/b"));
        assert!(!debug.contains("secret") && debug.contains("/b"), "{debug}");
    }
}
