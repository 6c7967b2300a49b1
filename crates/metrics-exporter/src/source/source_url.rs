//! The URL of a source with its options, as a flag and as YAML.

use std::{borrow::Cow, path::Path};

use endpoint::{Address, HttpClient, Options, Written, path_without_host, written_schema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use url::Url;

/// The most characters of a name
const NAME_LIMIT: usize = 64;
/// The option that names a source
const NAME: &str = "name";
const SCHEMES: [&str; 3] = ["http", "https", "http+unix"];
const NO_URL: &str =
    "a source is a URL, such as http://127.0.0.1:8080/metrics or, of a Unix socket, http+unix:///run/app.sock:/metrics";
/// An option of endpoint's client that is refused here, because sources are in the pod
const ENV_PROXY: &str = "env-proxy";

/// A URL of `http://`, `https://` or `http+unix://`, with options of endpoint's client and `name`
#[derive(Clone, Debug)]
pub(crate) struct SourceUrl {
    pub(crate) client: HttpClient,
    /// The option `name`
    pub(crate) name: Option<String>,
    /// `host:port`, or the file name of the socket
    pub(crate) default_name: String,
    /// True when the URL itself, not an option, holds a password
    pub(crate) has_password: bool,
}

impl SourceUrl {
    /// Reads a URL with its options in the fragment. Error messages repeat no value, because it may be a secret.
    pub(crate) fn from_text(text: &str) -> Result<Self, String> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        Self::from_parts(url, Options::from_fragment(fragment)?)
    }

    /// Reads a URL whose options are given apart.
    pub(crate) fn from_parts(url: &str, mut options: Options) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => NO_URL.to_owned(),
            _ => format!("this is not a URL: {error}"),
        })?;
        // `localhost:8080/metrics` parses too, as a URL whose scheme is `localhost`.
        if !SCHEMES.contains(&url.scheme()) {
            return Err(NO_URL.to_owned());
        }
        let name = options.parsed(NAME, judged_name)?;
        if options.switch(ENV_PROXY)? {
            return Err("option env-proxy: sources are asked without a proxy".into());
        }
        let client = HttpClient::from_url(&url, &mut options)?;
        let tls = (url.scheme() != "https").then_some("write https://");
        let known: Vec<_> = Self::options().collect();
        options.finish(url.scheme(), &known, tls)?;
        Ok(Self { client, name, default_name: default_name(&url)?, has_password: url.password().is_some() })
    }

    /// The names of all options
    pub(crate) fn options() -> impl Iterator<Item = &'static str> {
        let of_client = HttpClient::options().map(|option| option.split('=').next().unwrap_or(option));
        of_client.filter(|option| *option != ENV_PROXY).chain([NAME])
    }
}

/// Checks that a name can stand in a label, a log line and a page for people.
pub(super) fn judged_name(name: &str) -> Result<String, String> {
    let is_usual = |character: char| character.is_ascii_alphanumeric() || "-_.:/".contains(character);
    if name.is_empty() || name.len() > NAME_LIMIT || !name.chars().all(is_usual) {
        return Err(format!("a name has 1 to {NAME_LIMIT} letters, digits and -_.:/"));
    }
    if name == super::OWN_SOURCE {
        return Err("this is the name of the exporter's own series".into());
    }
    Ok(name.to_owned())
}

fn default_name(url: &Url) -> Result<String, String> {
    if url.scheme() == "http+unix" {
        let path = path_without_host(url)?;
        let path = path.to_string_lossy();
        let socket = path.split_once(":/").map_or(&*path, |(socket, _)| socket);
        return Ok(Path::new(socket).file_name().map_or_else(|| "socket".into(), |name| name.to_string_lossy().into()));
    }
    Ok(Address::of(url, None)?.authority())
}

impl<'de> Deserialize<'de> for SourceUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.read(Self::from_text, Self::from_parts)
    }
}

impl JsonSchema for SourceUrl {
    fn schema_name() -> Cow<'static, str> {
        "SourceUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        written_schema(Self::options())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_by_its_option_or_by_where_it_is() {
        for (text, name, default) in [
            ("http://127.0.0.1:8080/metrics#name=app", Some("app"), "127.0.0.1:8080"),
            ("http://localhost/metrics", None, "localhost:80"),
            ("http://[::1]:9/", None, "[::1]:9"),
            ("http+unix:///run/app.sock:/metrics", None, "app.sock"),
        ] {
            let source = SourceUrl::from_text(text).unwrap();
            assert_eq!((source.name.as_deref(), &*source.default_name), (name, default), "{text}");
        }
    }

    #[test]
    fn errors_name_the_fault_and_repeat_no_secret() {
        for (text, fault) in [
            ("hunter2", NO_URL),
            ("ftp://a/", NO_URL),
            ("app:8080/metrics", NO_URL),
            ("unix:///run/app.sock", NO_URL),
            ("http://a/#name=", "option name: a name has 1 to 64 letters, digits and -_.:/"),
            ("http://a/#name=metrics-exporter", "option name: this is the name of the exporter's own series"),
            ("http://a/#env-proxy", "option env-proxy: sources are asked without a proxy"),
            ("http://a/#ca=/x", "option ca is for TLS only: write https://"),
            ("http://a/#nmae=x", "http has no option \"nmae\"; did you mean name?"),
        ] {
            assert_eq!(SourceUrl::from_text(text).unwrap_err(), fault, "{text}");
        }
    }
}
