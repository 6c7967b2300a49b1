//! The settings of a format, as an output or a file of a set has them.

use std::fmt;

use lifecycle::config::AtKey;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Keys, Login};

/// A format by its name
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Format")]
pub(crate) enum Kind {
    /// One value as it is
    #[default]
    Raw,
    /// An object with the values
    Json,
    /// KEY='value' for shells and the dotenv libraries
    Dotenv,
    /// KEY='value' for the kubelet's fileKeyRef
    EnvFile,
    /// A row for curl, Git, Go and Python
    Netrc,
    /// A profile for the SDKs of AWS
    AwsCredentials,
    /// A registry for docker, podman and skopeo
    DockerConfig,
}

/// The settings of a file's content, as they are written
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) format: Kind,
    pub(crate) value: Option<&'a str>,
    pub(crate) keys: Option<&'a Keys>,
    pub(crate) machine: Option<&'a str>,
    pub(crate) registry: Option<&'a str>,
    pub(crate) profile: Option<&'a str>,
    pub(crate) login: Option<&'a str>,
    pub(crate) login_value: Option<&'a str>,
}

/// A fault of an entry, at one of its keys
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// As it is written
    pub(crate) key: &'static str,
    /// The fault and its remedy, without a value
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into() }
    }
}

/// lifecycle finds the place of the key in the file.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        AtKey { key: self.key, message: &self.message }.fmt(f)
    }
}

impl Kind {
    /// The keys beside `format` that this format has
    fn own(self) -> &'static [&'static str] {
        match self {
            Self::Raw => &["value"],
            Self::Json | Self::Dotenv | Self::EnvFile => &["keys"],
            Self::Netrc => &["machine", "login", "login-value", "value"],
            Self::AwsCredentials => &["profile", "keys"],
            Self::DockerConfig => &["registry", "login", "login-value", "value"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Json => "json",
            Self::Dotenv => "dotenv",
            Self::EnvFile => "env-file",
            Self::Netrc => "netrc",
            Self::AwsCredentials => "aws-credentials",
            Self::DockerConfig => "docker-config",
        }
    }
}

impl Settings<'_> {
    /// The keys beside `format` that are written
    pub(crate) fn written_keys(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("value", self.value.is_some()),
            ("keys", self.keys.is_some()),
            ("machine", self.machine.is_some()),
            ("registry", self.registry.is_some()),
            ("profile", self.profile.is_some()),
            ("login", self.login.is_some()),
            ("login-value", self.login_value.is_some()),
        ];
        keys.into_iter().filter_map(|(key, is_written)| is_written.then_some(key))
    }

    /// Refuses the settings of other formats.
    pub(super) fn refuse_others(&self) -> Result<(), Fault> {
        let own = self.format.own();
        match self.written_keys().find(|key| !own.contains(key)) {
            None => Ok(()),
            Some(key) => {
                let formats = (key == "keys").then_some(": set format to json, dotenv, env-file or aws-credentials");
                let formats = formats.filter(|_| self.format == Kind::Raw).unwrap_or_default();
                let (format, own) = (self.format.name(), own.join(", "));
                Err(Fault::new(key, format!("the format {format} has {own} instead of {key}{formats}")))
            }
        }
    }

    /// The keys, each of which the format accepts
    pub(super) fn keys(&self, refusal: fn(&str) -> Option<&'static str>) -> Result<Keys, Fault> {
        let example = "keys are missing: name each key of the file with its field, as in keys: {TOKEN: access_token}";
        let keys = self.keys.filter(|keys| !keys.is_empty());
        let keys = keys.ok_or_else(|| Fault::new(self.at("keys"), example))?;
        match keys.keys().find_map(|key| refusal(key)) {
            Some(refusal) => Err(Fault::new("keys", refusal)),
            None => Ok(keys.clone()),
        }
    }

    /// A text that must be there
    pub(super) fn text(
        &self,
        key: &'static str,
        text: Option<&str>,
        unfit: fn(&str) -> Option<&'static str>,
    ) -> Result<String, Fault> {
        let Some(text) = text else {
            return Err(Fault::new("format", format!("the format {} needs the key {key}", self.format.name())));
        };
        match unfit(text) {
            Some(reason) => Err(Fault::new(key, format!("it {reason}"))),
            None => Ok(text.to_owned()),
        }
    }

    pub(super) fn login(&self, unfit: fn(&str) -> Option<&'static str>) -> Result<Login, Fault> {
        match (self.login, self.login_value) {
            (Some(_), Some(_)) => Err(Fault::new("login-value", "login and login-value exclude each other")),
            (None, Some(field)) => Ok(Login::Field(field.to_owned())),
            (Some(_), None) => Ok(Login::Text(self.text("login", self.login, unfit)?)),
            (None, None) => {
                let message = "the user is missing: write it as login, or name its field as login-value";
                Err(Fault::new("format", message))
            }
        }
    }

    /// A key that is not written has no place; its format has.
    fn at(&self, key: &'static str) -> &'static str {
        if self.keys.is_some() { key } else { "format" }
    }
}
