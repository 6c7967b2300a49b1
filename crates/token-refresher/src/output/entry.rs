//! An entry of `outputs:`, as it is written.

use std::{
    borrow::Cow,
    path::{Component, Path, PathBuf},
};

use files::{Permissions, accounts};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::{
    Output, Writing,
    file::FileOutput,
    set::{Member, SetOutput},
};
use crate::format::{
    Format, Keys,
    settings::{Fault, Kind, Settings},
};

/// Only the user of this helper reads the file.
const DEFAULT_MODE: u32 = 0o400;

/// A file, or a directory with files that change together
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct OutputEntry {
    /// The path of the file; or name a directory
    file: Option<PathBuf>,
    /// The path of a directory that this helper makes, with files that change together
    directory: Option<PathBuf>,
    /// The files of the directory
    #[serde(default, deserialize_with = "lifecycle::config::bounded")]
    #[schemars(with = "Vec<MemberEntry>", length(max = 100))]
    files: Vec<NamedContent>,
    /// How the values are written
    format: Option<Kind>,
    /// The field that a raw file holds, or the password of netrc and docker-config; by default the main field of the source
    value: Option<String>,
    /// Keys of the file, each with its field: for json, dotenv, env-file and aws-credentials
    keys: Option<Keys>,
    /// The host of a netrc row
    machine: Option<String>,
    /// The registry of docker-config
    registry: Option<String>,
    /// The profile of aws-credentials; by default default
    profile: Option<String>,
    /// The user of netrc and docker-config
    login: Option<String>,
    /// The field that holds the user of netrc and docker-config
    login_value: Option<String>,
    /// Who may read the file, in octal digits; by default "0400"
    mode: Option<String>,
    /// The user that owns the file, by number or name; by default the user of this helper
    owner: Option<Account>,
    /// The group of the file, by number or name; by default the one that the volume gives
    group: Option<Account>,
    /// How the file is replaced
    write: Option<Writing>,
}

/// A file of a directory
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MemberEntry {
    /// Its name in the directory
    name: String,
    /// How the values are written
    format: Option<Kind>,
    /// The field that a raw file holds, or the password of netrc and docker-config; by default the main field of the source
    value: Option<String>,
    /// Keys of the file, each with its field: for json, dotenv, env-file and aws-credentials
    keys: Option<Keys>,
    /// The host of a netrc row
    machine: Option<String>,
    /// The registry of docker-config
    registry: Option<String>,
    /// The profile of aws-credentials; by default default
    profile: Option<String>,
    /// The user of netrc and docker-config
    login: Option<String>,
    /// The field that holds the user of netrc and docker-config
    login_value: Option<String>,
    /// Who may read the file, in octal digits; by default that of the directory's entry
    mode: Option<String>,
}

/// What an entry of a file means by itself
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "MemberEntry")]
struct NamedContent {
    name: String,
    format: Format,
    mode: Option<u32>,
}

impl TryFrom<MemberEntry> for NamedContent {
    type Error = Fault;

    fn try_from(entry: MemberEntry) -> Result<Self, Fault> {
        refuse_name(&entry.name, "name")?;
        let (format, mode) = (Format::of(entry.settings())?, mode(entry.mode.as_deref())?);
        Ok(Self { name: entry.name, format, mode })
    }
}

impl TryFrom<OutputEntry> for Output {
    type Error = Fault;

    fn try_from(entry: OutputEntry) -> Result<Self, Fault> {
        let permissions = entry.permissions()?;
        match (&entry.file, &entry.directory) {
            (Some(_), Some(_)) => Err(Fault::new("directory", "file and directory exclude each other")),
            (None, None) => Err(Fault::new("format", "an output is a file or a directory: name one of them")),
            (Some(file), None) => {
                let path = absolute(file, "file")?;
                if !entry.files.is_empty() {
                    return Err(Fault::new("files", "files go with directory, which holds them"));
                }
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                refuse_name(name, "file")?;
                let format = Format::of(entry.settings())?;
                let writing = entry.write.unwrap_or_default();
                Ok(Self::file(FileOutput { path, format, permissions, writing }))
            }
            (None, Some(directory)) => {
                let path = absolute(directory, "directory")?;
                entry.refuse_content()?;
                Ok(Self::set(SetOutput { path, members: entry.members(permissions)? }))
            }
        }
    }
}

impl OutputEntry {
    fn settings(&self) -> Settings<'_> {
        Settings {
            format: self.format.unwrap_or_default(),
            value: self.value.as_deref(),
            keys: self.keys.as_ref(),
            machine: self.machine.as_deref(),
            registry: self.registry.as_deref(),
            profile: self.profile.as_deref(),
            login: self.login.as_deref(),
            login_value: self.login_value.as_deref(),
        }
    }

    fn permissions(&self) -> Result<Permissions, Fault> {
        let number = |account: &Option<Account>, key, read: fn(&str) -> Result<u32, String>| {
            let read = |account: &Account| read(&account.0).map_err(|message| Fault::new(key, message));
            account.as_ref().map(read).transpose()
        };
        Ok(Permissions {
            mode: mode(self.mode.as_deref())?.unwrap_or(DEFAULT_MODE),
            user: number(&self.owner, "owner", accounts::user)?,
            group: number(&self.group, "group", accounts::group)?,
        })
    }

    /// A directory's content is that of its files.
    fn refuse_content(&self) -> Result<(), Fault> {
        let format = self.format.map(|_| "format");
        if let Some(key) = format.or_else(|| self.settings().written_keys().next()) {
            return Err(Fault::new(key, "this is for each of the files: write it there"));
        }
        match self.write {
            Some(Writing::InPlace) => Err(Fault::new("write", "files that change together are never written in place")),
            _ if self.files.is_empty() => Err(Fault::new("directory", "its files are missing: name them as files")),
            _ => Ok(()),
        }
    }

    fn members(self, permissions: Permissions) -> Result<Vec<Member>, Fault> {
        let mut members: Vec<Member> = Vec::new();
        for NamedContent { name, format, mode } in self.files {
            if members.iter().any(|member| member.name == name) {
                return Err(Fault::new("files", "two of these files have the same name"));
            }
            let mode = mode.unwrap_or(permissions.mode);
            members.push(Member { name, format, permissions: Permissions { mode, ..permissions } });
        }
        Ok(members)
    }
}

impl MemberEntry {
    fn settings(&self) -> Settings<'_> {
        Settings {
            format: self.format.unwrap_or_default(),
            value: self.value.as_deref(),
            keys: self.keys.as_ref(),
            machine: self.machine.as_deref(),
            registry: self.registry.as_deref(),
            profile: self.profile.as_deref(),
            login: self.login.as_deref(),
            login_value: self.login_value.as_deref(),
        }
    }
}

/// A user or a group, by number or name
#[derive(Clone, Debug)]
struct Account(String);

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text of a number as well
        String::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Account {
    fn schema_name() -> Cow<'static, str> {
        "Account".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 0 })
    }
}

/// The path without dots and double slashes. It leads to one place, whatever the working directory is.
fn absolute(path: &Path, key: &'static str) -> Result<PathBuf, Fault> {
    if !path.is_absolute() || path.components().any(|component| component == Component::ParentDir) {
        return Err(Fault::new(key, "write an absolute path without .., such as /run/tokens/app/token"));
    }
    Ok(path.components().collect())
}

/// A name that no directory of a set, no temporary file and no lock has.
fn refuse_name(name: &str, key: &'static str) -> Result<(), Fault> {
    if name.is_empty() || name == "." || name.starts_with("..") || name.contains(['/', '\0']) {
        return Err(Fault::new(key, "a file's name is UTF-8 without slashes, and does not begin with two dots"));
    }
    Ok(())
}

/// Owner, group and others may be allowed to read. Nobody but this helper writes the file.
fn mode(text: Option<&str>) -> Result<Option<u32>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && mode & !0o777 == 0);
    match mode {
        None => Err(Fault::new("mode", "write three octal digits, such as \"0440\"")),
        Some(mode) if mode & 0o022 != 0 => Err(Fault::new("mode", "group and others may read the file, not write it")),
        Some(mode) => Ok(Some(mode)),
    }
}

#[cfg(test)]
mod tests;
