//! Logins: tokens, passwords and headers, from files, variables and options.
//!
//! Files are read at the first use, and again when they change. A secret whose file is gone for some
//! seconds was withdrawn, and its uses fail until the file is back. No error holds any of a secret.
//!
//! Long because a login has many spellings, which must exclude each other.

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use lifecycle::Secret;

use crate::{failure::Failure, options::Options, source::Source};

/// The options that [`LoginHeaders`] take
pub const LOGIN_OPTIONS: [&str; 7] = [
    "token-file=PATH",
    "token-env=NAME",
    "user=NAME",
    "password-file=PATH",
    "password-env=NAME",
    "header=Name:value",
    "header-file=Name:PATH",
];

/// The options that [`Password`] takes
pub const PASSWORD_OPTIONS: [&str; 2] = ["password-file=PATH", "password-env=NAME"];

/// A password, or the file that holds it
#[derive(Clone, Debug)]
pub struct Password {
    option: &'static str,
    source: Source<Secret>,
}

impl Password {
    /// Takes `password-file` and `password-env`. At most one of them and `in_url` may be there.
    pub fn from_options(options: &mut Options, in_url: Option<Secret>) -> Result<Option<Self>, String> {
        let given = Self::named(options, "password-file", "password-env")?;
        let in_url = in_url.map(|secret| Self { option: "the URL's password", source: Source::Fixed(secret) });
        match (given, in_url) {
            (Some(_), Some(_)) => Err("the password is given twice".into()),
            (given, in_url) => Ok(given.or(in_url)),
        }
    }

    /// Takes a secret that one option names by its file and another one by its variable.
    pub fn named(options: &mut Options, file: &'static str, variable: &'static str) -> Result<Option<Self>, String> {
        let path = options.text(file)?;
        let name = options.text(variable)?;
        match (path, name) {
            (Some(_), Some(_)) if file == "password-file" => Err("the password is given twice".into()),
            (Some(_), Some(_)) => Err(format!("options {file} and {variable} exclude each other")),
            // The line end of a request's body is a part of it.
            (Some(path), None) if file == "request-body-file" => {
                Ok(Some(Self { option: file, source: secret_file(path.into(), Secret::from_whole_file) }))
            }
            (Some(path), None) => Ok(Some(Self { option: file, source: secret_file(path.into(), Secret::from_file) })),
            (None, Some(name)) => {
                let source =
                    Source::Fixed(secret_variable(&name).map_err(|error| format!("option {variable}: {error}"))?);
                Ok(Some(Self { option: variable, source }))
            }
            (None, None) => Ok(None),
        }
    }

    /// The password as it is now.
    pub async fn current(&self) -> Result<Secret, Failure> {
        self.source.current().await.map_err(|failure| about(self.option, failure))
    }

    /// Reads the file at the next use: the server does not accept the password.
    pub fn forget(&self) {
        self.source.forget();
    }

    /// The file, if it comes from one
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.source.paths().iter().map(PathBuf::as_path)
    }
}

/// Headers of a user's own, logins among them
#[derive(Clone, Debug, Default)]
pub struct LoginHeaders {
    fixed: HeaderMap,
    files: Vec<FromFile>,
}

/// A header whose value is made of a file's content
#[derive(Clone, Debug)]
struct FromFile {
    option: &'static str,
    name: HeaderName,
    value: Source<HeaderValue>,
}

/// The form of a secret in a header
#[derive(Clone, Debug)]
enum Form {
    AsItIs,
    /// A token (RFC 6750)
    Bearer,
    /// The password of this user (RFC 7617)
    Basic(String),
}

/// A user and a password that stand in a URL
#[derive(Default)]
pub struct UrlLogin {
    /// Decoded; `None` where the URL has none
    pub user: Option<String>,
    /// Decoded
    pub password: Option<Secret>,
}

impl LoginHeaders {
    /// Takes [`LOGIN_OPTIONS`]. `reserved` are the headers that a user may not set.
    pub fn from_options(options: &mut Options, url: UrlLogin, reserved: &[HeaderName]) -> Result<Self, String> {
        let mut headers = Self::default();
        let twice = |name: &HeaderName| Err(format!("the header {name} is given twice"));
        for header in options.all("header") {
            let (name, value) = split("header", "Name:value", &header, reserved)?;
            if name == AUTHORIZATION && headers.has_login() {
                return twice(&name);
            }
            let value = HeaderValue::from_str(value).map_err(|_| format!("option header: {name} has no such value"))?;
            headers.fixed.append(name, sensitive(value));
        }
        for header in options.all("header-file") {
            let (name, path) = split("header-file", "Name:PATH", &header, reserved)?;
            // The value of a file replaces any other.
            if headers.fixed.contains_key(&name) || headers.files.iter().any(|file| file.name == name) {
                return twice(&name);
            }
            headers.add("header-file", name, Form::AsItIs, path.into());
        }
        headers.add_login(options, url)?;
        Ok(headers)
    }

    /// At most one token, or a user with a password.
    fn add_login(&mut self, options: &mut Options, url: UrlLogin) -> Result<(), String> {
        let named = options.text("user")?;
        let user_is_named = named.is_some();
        let user = match (named, url.user) {
            (Some(_), Some(_)) => return Err("the user is given twice".into()),
            (named, in_url) => named.or(in_url),
        };
        let token = Password::named(options, "token-file", "token-env")?;
        let password = Password::from_options(options, url.password)?;
        match (user, password, token) {
            (None, None, None) => Ok(()),
            _ if self.has_login() => {
                Err("the header Authorization and a token, a user or a password exclude each other".into())
            }
            (None, None, Some(token)) => self.add_secret(token, Form::Bearer),
            (_, _, Some(_)) => Err("a token and a user or a password exclude each other".into()),
            (user, Some(password), None) => self.add_secret(password, Form::Basic(user.unwrap_or_default())),
            (Some(_), None, None) if user_is_named => {
                Err("option user goes together with password-file or password-env".into())
            }
            (Some(user), None, None) => {
                let value = Form::Basic(user).value(&Secret::from("")).map_err(|error| format!("the user {error}"))?;
                self.fixed.insert(AUTHORIZATION, value);
                Ok(())
            }
        }
    }

    /// Adds the Authorization header.
    fn add_secret(&mut self, secret: Password, form: Form) -> Result<(), String> {
        match secret.source {
            Source::Fixed(text) => {
                let option = secret.option;
                let value = form.value(&text).map_err(|error| format!("{option}: the value {error}"))?;
                self.fixed.insert(AUTHORIZATION, value);
            }
            Source::Files(files) => self.add(secret.option, AUTHORIZATION, form, files.path().to_owned()),
        }
        Ok(())
    }

    /// Adds a header whose value is made of the content of the file.
    fn add(&mut self, option: &'static str, name: HeaderName, form: Form, path: PathBuf) {
        let file = path.clone();
        let read = move || {
            let secret = Secret::from_file(&file)?;
            match secret.expose() {
                "" => Err(format!("{} is empty", file.display())),
                _ => form.value(&secret).map_err(|error| format!("{} {error}", file.display())),
            }
        };
        self.files.push(FromFile { option, name, value: Source::secret_file(path, read) });
    }

    /// All headers, as they are now.
    pub async fn current(&self) -> Result<HeaderMap, Failure> {
        let mut headers = self.fixed.clone();
        for file in &self.files {
            let value = file.value.current().await.map_err(|failure| about(file.option, failure))?;
            headers.insert(&file.name, value);
        }
        Ok(headers)
    }

    /// Whether the headers log in
    pub fn has_login(&self) -> bool {
        self.fixed.contains_key(AUTHORIZATION) || self.files.iter().any(|file| file.name == AUTHORIZATION)
    }

    /// Reads all files at the next use: the server does not accept what they held.
    pub fn forget(&self) {
        for file in &self.files {
            file.value.forget();
        }
    }

    /// Why the last look at one of the files gave no value, also where its former content stays in use.
    pub fn fault(&self) -> Option<Failure> {
        self.files.iter().find_map(|file| Some(about(file.option, file.value.fault()?)))
    }

    /// The name of each header, and the file that its value comes from
    pub fn sources(&self) -> impl Iterator<Item = (&HeaderName, Option<&Path>)> {
        let from_files = self.files.iter().map(|file| (&file.name, file.value.paths().first().map(PathBuf::as_path)));
        self.fixed.keys().map(|name| (name, None)).chain(from_files)
    }

    /// The files
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().flat_map(|file| file.value.paths()).map(PathBuf::as_path)
    }
}

impl Form {
    /// The header's value; an error is what is wrong with the secret, without any of it.
    fn value(&self, secret: &Secret) -> Result<HeaderValue, String> {
        let text = secret.expose();
        let value = match self {
            Self::Basic(user) => {
                return HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{text}"))))
                    .map(sensitive)
                    .map_err(|_| "makes no header".to_owned());
            }
            _ if text.is_empty() => return Err("is empty".into()),
            Self::AsItIs => HeaderValue::from_str(text),
            Self::Bearer => HeaderValue::try_from(format!("Bearer {text}")),
        };
        value.map(sensitive).map_err(|_| "holds what no header can: is it one line?".to_owned())
    }
}

/// The name of a header, and what stands behind it.
fn split<'a>(
    option: &str,
    form: &str,
    text: &'a str,
    reserved: &[HeaderName],
) -> Result<(HeaderName, &'a str), String> {
    let wrong = || format!("option {option}: write it as {option}={form}");
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
    if reserved.contains(&name) {
        return Err(format!("option {option}: {name} is not yours to set"));
    }
    Ok((name, value.trim()))
}

fn secret_file(path: PathBuf, read_file: fn(&Path) -> Result<Secret, String>) -> Source<Secret> {
    let file = path.clone();
    // A password can be empty. One that was filled is empty while it is written again.
    let was_filled = AtomicBool::new(false);
    let read = move || {
        let secret = read_file(&file)?;
        let is_filled = !secret.expose().is_empty();
        if was_filled.fetch_or(is_filled, Relaxed) && !is_filled {
            return Err(format!("{} is empty", file.display()));
        }
        Ok(secret)
    };
    Source::secret_file(path, read)
}

/// The value of a variable. A text that is hardly the name of one may be the secret itself, and is not printed.
fn secret_variable(name: &str) -> Result<Secret, String> {
    // A key ID or a secret in base 32 has digits, and few names of variables do.
    let is_usual = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    match lifecycle::variable(name) {
        Ok(value) => Ok(value.as_str().into()),
        Err(error) if name.bytes().all(is_usual) => Err(error),
        Err(_) => Err("no such variable; give the name of a variable, not its value".into()),
    }
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

fn about(option: &str, failure: Failure) -> Failure {
    match failure {
        Failure::File { reason, may_pass } => Failure::File { reason: format!("option {option}: {reason}"), may_pass },
        failure => failure,
    }
}
