//! An output as a URL; its options stand in the fragment, joined by `&`, and never reach a server.

mod yaml;

use std::{fmt, path::PathBuf, str::FromStr};

use endpoint::Options;
use url::Url;

use crate::{
    outputs::{Opened, Patience, SCHEMES, Scheme, Setup},
    own_files::OwnFiles,
    records::pool::Pool,
};

/// The option that tells two outputs of one URL apart
const NAME: &str = "name";
const LONGEST_NAME: usize = 64;

/// An output that is known to be possible
#[derive(Clone)]
pub(crate) struct Destination {
    scheme: &'static Scheme,
    url: Url,
    /// Those of its kind
    options: Options,
    /// Tells it from other outputs with the same URL but for the query
    name: Option<String>,
    /// When a batch is no longer sent again
    pub(crate) patience: Patience,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (_, fragment) = text.split_once('#').unwrap_or_default();
        Self::with_options(text, Options::from_fragment(fragment)?)
    }
}

impl Destination {
    /// From a URL and options that stand beside it
    pub(crate) fn with_options(text: &str, mut options: Options) -> Result<Self, String> {
        let name = text.split_once("://").map(|(name, _)| name.to_ascii_lowercase());
        let name = name.ok_or("an output is a URL, such as http://collector:8080/lines or stdout://")?;
        let scheme = SCHEMES.iter().find(|scheme| scheme.name == name).ok_or_else(|| unknown_scheme(&name))?;
        let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
        if url.password().is_some() || !url.username().is_empty() {
            return Err(no_login(scheme));
        }
        if url.query().is_some() && !scheme.sends_query() {
            return Err(no_query(scheme));
        }
        let name = options.parsed(NAME, output_name)?;
        let patience = Patience::from_options(&mut options)?;
        let destination = Self { scheme, url, options, name, patience };
        destination.open(&Pool::default(), &OwnFiles::default()).map(|_| destination)
    }

    /// The output, not yet connected; an error is a fault in the URL.
    pub(crate) fn open(&self, pool: &Pool, own_files: &OwnFiles) -> Opened {
        self.scheme.open(Setup { url: &self.url, options: self.options.clone(), pool, own_files })
    }

    /// The file that it writes, if it is one
    pub(crate) fn own_file(&self) -> Option<PathBuf> {
        (self.url.scheme() == "file").then(|| self.url.to_file_path().ok()).flatten()
    }

    /// The files that its options name
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.options.files()
    }

    /// Refuses a login in an argument, where all who can list processes see it.
    pub(crate) fn judge_argument(&self) -> Result<(), String> {
        endpoint::refuse_login_in_argument(&self.options)
    }

    /// Its text for messages, metrics and the checkpoint: no query, which may hold a token
    pub(crate) fn label(&self) -> String {
        let url = &self.url[..url::Position::AfterPath];
        self.name.as_ref().map_or_else(|| url.to_owned(), |name| format!("{url}#{NAME}={name}"))
    }
}

/// The error does not repeat the text, which may be the half of a secret with an ampersand.
fn output_name(text: &str) -> Result<String, String> {
    let is_usual = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(is_usual) {
        return Ok(text.to_owned());
    }
    Err(format!("a name has letters, digits and ._- only, and at most {LONGEST_NAME} of them"))
}

/// A URL is shown in logs, in metrics and in the list of processes.
fn no_login(scheme: &Scheme) -> String {
    if scheme.option_names().any(|name| name == "password-file") {
        return "a URL holds no user and no password: write user=NAME and password-file=PATH as options".into();
    }
    format!("{} has no login: leave out the part of the URL before the @", scheme.name)
}

/// The error does not repeat the query, which may hold a token.
fn no_query(scheme: &Scheme) -> String {
    let in_path = if scheme.name == "file" { ", and a question mark of the path as %3F" } else { "" };
    format!("{} sends no query: write options behind a #{in_path}", scheme.name)
}

fn unknown_scheme(name: &str) -> String {
    let known = || SCHEMES.iter().map(|scheme| scheme.name);
    match lifecycle::nearest(name, known()) {
        Some(near) => format!("unknown scheme {name:?}; did you mean {near}://?"),
        None => format!("unknown scheme; there are {}", known().collect::<Vec<_>>().join(", ")),
    }
}

impl PartialEq for Destination {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
            && self.options == other.options
            && self.name == other.name
            && self.patience == other.patience
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}", self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        let refusal = |text: &str| text.parse::<Destination>().unwrap_err();
        assert!(refusal("collector:5140").starts_with("an output is a URL, such as http://"));
        assert_eq!(refusal("htp://x"), r#"unknown scheme "htp"; did you mean http://?"#);
        assert!(refusal("kafka://x").starts_with("unknown scheme; there are stdout, file, tcp"));
        assert!(refusal("tcp://collector").contains("port"));
        let no_login = "tcp has no login: leave out the part of the URL before the @";
        assert_eq!(refusal("tcp://user:secret@collector:1"), no_login);
        let remedy = "a URL holds no user and no password: write user=NAME and password-file=PATH as options";
        assert_eq!(refusal("http://user:secret@collector/x"), remedy);
        assert!(refusal("tcp://collector:5140#as=xml").contains("option as: this is neither raw nor ndjson"));
        assert_eq!(refusal("http://collector#ca=/ca.pem"), "option ca is for TLS only: write https://");
        assert_eq!(refusal("http://collector#gzpi"), "http has no option \"gzpi\"; did you mean gzip?");
        assert_eq!(refusal("http://collector#gzip&zstd"), "options gzip and zstd exclude each other");
        assert!(refusal("file://host/x").contains("file:///"));
        for scheme in SCHEMES.iter().filter(|scheme| !scheme.sends_query()) {
            let error = refusal(&format!("{}?token", scheme.example));
            let start = format!("{} sends no query: write options behind a #", scheme.name);
            assert!(error.starts_with(&start) && !error.contains("token"), "{error}");
        }
        assert!(refusal("file:///x?y").ends_with("a question mark of the path as %3F"));
        assert!("loki+https://loki?tenant=a".parse::<Destination>().is_ok());
        assert!(refusal("stdout://x").contains("stdout://"));
    }

    #[test]
    fn a_label_holds_no_secret() {
        let destination: Destination = "http://collector/lines?token=secret#as=raw".parse().unwrap();
        assert_eq!(destination.label(), "http://collector/lines");
        assert!(!format!("{destination:?}").contains("secret"));
    }

    #[test]
    fn a_name_tells_outputs_of_one_url_apart() {
        let label = |text: &str| text.parse::<Destination>().map(|destination| destination.label());
        assert_eq!(label("http://collector/x?pipeline=a#gzip&name=audit").unwrap(), "http://collector/x#name=audit");
        for name in ["", "a b", "a/b", &"x".repeat(65)] {
            let error = label(&format!("stdout://#name={name}")).unwrap_err();
            assert_eq!(error, "option name: a name has letters, digits and ._- only, and at most 64 of them");
        }
    }
}
