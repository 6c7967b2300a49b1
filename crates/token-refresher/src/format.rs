//! How values are written into a file: the table of formats. A format is one file and a row here.

mod aws_credentials;
mod docker_config;
mod dotenv;
mod env_file;
mod json;
mod netrc;
pub(crate) mod settings;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use self::settings::{Fault, Kind, Settings};
use crate::{exchange::scrub::scrubbed, value::fields::Fields};

/// How the values of a secret become the content of a file
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One value as it is
    Raw(Value),
    /// An object; without keys it has all fields
    Json(Keys),
    /// `KEY='value'` for shells and the dotenv libraries
    Dotenv(Keys),
    /// `KEY='value'` for the kubelet's `fileKeyRef`
    EnvFile(Keys),
    /// A row for curl, Git, Go and Python
    Netrc { machine: String, login: Login, password: Value },
    /// A profile for the SDKs of AWS
    AwsCredentials { profile: String, keys: Keys },
    /// A registry for docker, podman, skopeo and others
    DockerConfig { registry: String, login: Login, password: Value },
}

/// The name of a field; `None` is the main field of the source
pub(crate) type Value = Option<String>;
/// Keys of the file, each with the name of its field
pub(crate) type Keys = BTreeMap<String, String>;

/// A user's name: written in the configuration, or a field
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Text(String),
    Field(String),
}

/// Values that have no place in a file of this format; the text holds none of them
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(String);

/// The content of a file, wiped when it goes
pub(crate) type Content = Zeroizing<Vec<u8>>;

impl Format {
    /// The format that these settings mean.
    pub(crate) fn of(settings: Settings) -> Result<Self, Fault> {
        settings.refuse_others()?;
        let format = match settings.format {
            Kind::Raw => Self::Raw(settings.value.map(str::to_owned)),
            Kind::Json => Self::Json(settings.keys.cloned().unwrap_or_default()),
            Kind::Dotenv => Self::Dotenv(settings.keys(dotenv::refuse_key)?),
            Kind::EnvFile => Self::EnvFile(settings.keys(env_file::refuse_key)?),
            Kind::Netrc => Self::Netrc {
                machine: settings.text("machine", settings.machine, netrc::unfit)?,
                login: settings.login(netrc::unfit)?,
                password: settings.value.map(str::to_owned),
            },
            Kind::AwsCredentials => Self::AwsCredentials {
                profile: match settings.profile {
                    Some(_) => settings.text("profile", settings.profile, aws_credentials::unfit_profile)?,
                    None => "default".into(),
                },
                keys: aws_credentials::complete(settings.keys(aws_credentials::refuse_key)?)?,
            },
            Kind::DockerConfig => Self::DockerConfig {
                registry: settings.text("registry", settings.registry, docker_config::unfit_registry)?,
                login: settings.login(docker_config::unfit_login)?,
                password: settings.value.map(str::to_owned),
            },
        };
        Ok(format)
    }

    /// The field that the content is, as it is; the inner `None` is the main field of the source.
    pub(crate) fn whole_field(&self) -> Option<&Value> {
        if let Self::Raw(value) = self { Some(value) } else { None }
    }

    /// The content of a file with these values.
    pub(crate) fn write(&self, fields: &Fields) -> Result<Content, Unfit> {
        match self {
            Self::Raw(value) => {
                let (_, value) = field(fields, value.as_deref())?;
                Ok(Zeroizing::new(value.as_bytes().to_vec()))
            }
            Self::Json(keys) => json::write(&pairs(fields, keys)?),
            Self::Dotenv(keys) => rows(fields, keys, "dotenv", dotenv::row),
            Self::EnvFile(keys) => rows(fields, keys, "env-file", env_file::row),
            Self::Netrc { machine, login, password } => {
                let login = fit(login.of(fields)?, "netrc", netrc::unfit)?;
                let password = fit(field(fields, password.as_deref())?, "netrc", netrc::unfit)?;
                Ok(content(&["machine ", machine, " login ", login, " password ", password, "\n"]))
            }
            Self::AwsCredentials { profile, keys } => {
                let mut parts = vec!["[", profile, "]\n"];
                for (key, name) in keys {
                    let value = field(fields, Some(name))?;
                    let value = fit(value, "aws-credentials", aws_credentials::unfit)?;
                    parts.extend([key.as_str(), " = ", value, "\n"]);
                }
                Ok(content(&parts))
            }
            Self::DockerConfig { registry, login, password } => {
                let login = fit(login.of(fields)?, "docker-config", docker_config::unfit_login)?;
                let password = field(fields, password.as_deref())?;
                let password = fit(password, "docker-config", docker_config::unfit_password)?;
                docker_config::write(registry, login, password)
            }
        }
    }
}

impl Login {
    fn of<'a>(&'a self, fields: &'a Fields) -> Result<(&'a str, &'a str), Unfit> {
        match self {
            Self::Text(text) => Ok(("login", text)),
            Self::Field(name) => field(fields, Some(name)),
        }
    }
}

/// The name and the value of a field.
fn field<'a>(fields: &'a Fields, name: Option<&'a str>) -> Result<(&'a str, &'a str), Unfit> {
    let Some(value) = fields.get(name) else {
        let names: Vec<_> = fields.names().collect();
        let wanted = name.map_or("main field: name one".to_owned(), |name| format!("field {name}"));
        // A server may have chosen the names.
        let names = scrubbed(&names.join(", "), &[]);
        return Err(Unfit(format!("the source has no {wanted}; it has {names}")));
    };
    Ok((name.unwrap_or("of the source"), value.expose()))
}

/// The keys of a file with their values; without keys those of the source.
fn pairs<'a>(fields: &'a Fields, keys: &'a Keys) -> Result<BTreeMap<&'a str, &'a str>, Unfit> {
    if keys.is_empty() {
        let names = fields.names();
        return names.map(|name| Ok((name, field(fields, Some(name))?.1))).collect();
    }
    keys.iter().map(|(key, name)| Ok((key.as_str(), field(fields, Some(name))?.1))).collect()
}

/// A row for each key, or the reason why its value has none.
fn rows(
    fields: &Fields,
    keys: &Keys,
    format: &str,
    row: impl for<'a> Fn(&'a str, &'a str) -> Result<[&'a str; 5], &'static str>,
) -> Result<Content, Unfit> {
    let mut parts = Vec::new();
    for (key, name) in keys {
        let (name, value) = field(fields, Some(name))?;
        parts.extend(row(key, value).map_err(|reason| unfit(name, format, reason))?);
    }
    Ok(content(&parts))
}

/// The value of a field in which the format finds nothing unfit
fn fit<'a>(
    (name, value): (&str, &'a str),
    format: &str,
    reason: impl Fn(&str) -> Option<&'static str>,
) -> Result<&'a str, Unfit> {
    match reason(value) {
        Some(reason) => Err(unfit(name, format, reason)),
        None => Ok(value),
    }
}

fn unfit(field: &str, format: &str, reason: &str) -> Unfit {
    Unfit(format!("the format {format} cannot express the field {field}: it {reason}"))
}

/// All parts in one piece of memory, because a growing one would leave copies.
fn content(parts: &[&str]) -> Content {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut content = Zeroizing::new(Vec::with_capacity(length));
    for part in parts {
        content.extend_from_slice(part.as_bytes());
    }
    content
}

#[cfg(test)]
mod tests;
