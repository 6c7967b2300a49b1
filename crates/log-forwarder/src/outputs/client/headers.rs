//! The headers that a user adds to each request. Values in files are read anew when the files change.

use std::path::{Path, PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use endpoint::Options;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use lifecycle::Secret;

use crate::stamp::Stamp;

/// What a wrong value would make a request unreadable, or repeated where it must not be
const OURS: [HeaderName; 5] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING, HeaderName::from_static("idempotency-key")];

/// Headers of a user's own, logins among them
pub(super) struct Headers {
    fixed: HeaderMap,
    files: Vec<FromFile>,
}

/// A header whose value is a file's content
struct FromFile {
    option: &'static str,
    name: HeaderName,
    form: Form,
    path: PathBuf,
    /// What was read last, and from which file
    current: Option<(Stamp, HeaderValue)>,
}

/// What is made of a file's content
enum Form {
    AsItIs,
    /// A token (RFC 6750)
    Bearer,
    /// The password of this user (RFC 7617)
    Basic(String),
}

impl Headers {
    /// Takes `token-file`, `user` with `password-file`, `header` and `header-file`. Files are read when they are needed.
    pub(super) fn from_options(options: &mut Options) -> Result<Self, String> {
        let mut files = Vec::new();
        let mut from_file = |option, name, form, path: &str| {
            files.push(FromFile { option, name, form, path: path.into(), current: None });
        };
        let token = options.text("token-file")?;
        match (options.text("user")?, options.text("password-file")?) {
            (Some(_), Some(_)) if token.is_some() => {
                return Err("options token-file and user exclude each other".into());
            }
            (Some(user), Some(path)) => from_file("password-file", AUTHORIZATION, Form::Basic(user), &path),
            (None, None) => {}
            _ => return Err("options user and password-file go together".into()),
        }
        if let Some(path) = token {
            from_file("token-file", AUTHORIZATION, Form::Bearer, &path);
        }
        for header in options.all("header-file") {
            let (name, path) = split("header-file", "Name:PATH", &header)?;
            from_file("header-file", name, Form::AsItIs, path);
        }
        let mut fixed = HeaderMap::new();
        for header in options.all("header") {
            let (name, value) = split("header", "Name:value", &header)?;
            let mut value =
                HeaderValue::from_str(value).map_err(|_| format!("option header: {name} has no such value"))?;
            value.set_sensitive(true);
            fixed.append(name, value);
        }
        Ok(Self { fixed, files })
    }

    /// All of them, as they are now.
    pub(super) fn current(&mut self) -> Result<HeaderMap, String> {
        let mut headers = self.fixed.clone();
        for file in &mut self.files {
            let value = file.current().map_err(|error| format!("option {}: {error}", file.option))?;
            headers.insert(&file.name, value);
        }
        Ok(headers)
    }

    /// Reads all files anew next time: the server does not take what they held.
    pub(super) fn forget(&mut self) {
        for file in &mut self.files {
            file.current = None;
        }
    }
}

/// A header's name, and what stands behind it.
fn split<'a>(option: &str, form: &str, text: &'a str) -> Result<(HeaderName, &'a str), String> {
    let wrong = || format!("option {option}: write it as {option}={form}");
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
    if OURS.contains(&name) {
        return Err(format!("option {option}: {name} is not yours to set"));
    }
    Ok((name, value.trim()))
}

impl FromFile {
    fn current(&mut self) -> Result<HeaderValue, String> {
        // Before reading: a change in between is seen next time.
        let stamp = Stamp::of(&self.path);
        if let Some((known, value)) = &self.current
            && Some(*known) == stamp
        {
            return Ok(value.clone());
        }
        self.current = None;
        let value = self.form.value(&self.path)?;
        self.current = stamp.map(|stamp| (stamp, value.clone()));
        Ok(value)
    }
}

impl Form {
    fn value(&self, path: &Path) -> Result<HeaderValue, String> {
        let secret = Secret::from_file(path)?;
        let text = secret.expose();
        if text.is_empty() {
            return Err(format!("{} is empty", path.display()));
        }
        let value = match self {
            Self::AsItIs => HeaderValue::from_str(text),
            Self::Bearer => HeaderValue::try_from(format!("Bearer {text}")),
            Self::Basic(user) => {
                HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{text}"))))
            }
        };
        let mut value = value.map_err(|_| format!("{} holds what no header can: is it one line?", path.display()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn headers(fragment: &str) -> Result<Headers, String> {
        Headers::from_options(&mut Options::from_fragment(fragment).unwrap())
    }

    #[test]
    fn a_file_is_read_anew_when_it_changes_or_is_mistrusted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let mut headers = headers(&format!("token-file={}&header=X-Scope-OrgID: team", path.display())).unwrap();
        let missing = headers.current().unwrap_err();
        assert!(
            missing.starts_with("option token-file: cannot read ") && missing.contains("No such file"),
            "{missing}"
        );
        fs::write(&path, "one\n").unwrap();
        assert_eq!(headers.current().unwrap()["authorization"], "Bearer one");
        // As token-refresher does it
        fs::write(directory.path().join("new"), "two\n").unwrap();
        fs::rename(directory.path().join("new"), &path).unwrap();
        let current = headers.current().unwrap();
        assert_eq!(
            (&current["authorization"], &current["x-scope-orgid"]),
            (&"Bearer two".try_into().unwrap(), &"team".try_into().unwrap())
        );
        headers.files[0].current.as_mut().unwrap().1 = HeaderValue::from_static("stale");
        assert_eq!(headers.current().unwrap()["authorization"], "stale");
        headers.forget();
        assert_eq!(headers.current().unwrap()["authorization"], "Bearer two");
        fs::write(&path, "\n").unwrap();
        assert!(headers.current().unwrap_err().ends_with("is empty"));
        fs::write(&path, "one\ntwo\n").unwrap();
        assert!(headers.current().unwrap_err().ends_with("is it one line?"));
    }

    #[test]
    fn a_user_and_a_password_are_basic_authentication() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        fs::write(&path, "open sesame\n").unwrap();
        let mut headers = headers(&format!("user=Aladdin&password-file={}", path.display())).unwrap();
        assert_eq!(headers.current().unwrap()["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (fragment, words) in [
            ("user=me", "options user and password-file go together"),
            ("user=me&password-file=/p&token-file=/t", "options token-file and user exclude each other"),
            ("header=X-A", "option header: write it as header=Name:value"),
            ("header-file=X A:/p", "option header-file: write it as header-file=Name:PATH"),
            ("header=Content-Length:3", "option header: content-length is not yours to set"),
            ("header=X-A:a%0aSECRET", "option header: x-a has no such value"),
        ] {
            assert_eq!(headers(fragment).err().as_deref(), Some(words));
        }
    }
}
