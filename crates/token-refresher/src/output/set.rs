//! An output that is a set of files, which change together.

use std::{io, path::PathBuf};

use files::{Permissions, Set};

use super::{error::OutputError, target::Target};
use crate::{
    format::{Content, Format},
    value::fields::Fields,
};

/// A directory with values of a secret in files
#[derive(Clone, Debug)]
pub(super) struct SetOutput {
    /// The directory, absolute
    pub(super) path: PathBuf,
    pub(super) members: Vec<Member>,
}

/// A file of a set
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) permissions: Permissions,
}

impl SetOutput {
    /// The content of each file
    pub(super) fn contents(&self, fields: &Fields) -> Result<Vec<Content>, OutputError> {
        let content = |member: &Member| {
            let written = member.format.write(fields);
            written.map_err(|error| OutputError::unfit(&self.path.join(&member.name), &error))
        };
        self.members.iter().map(content).collect()
    }

    pub(super) fn write(&self, target: &Target, contents: &[Content]) -> io::Result<bool> {
        let mut members = Vec::with_capacity(contents.len());
        for (member, content) in self.members.iter().zip(contents) {
            members.push(files::Member { name: &member.name, content, permissions: member.permissions });
        }
        Set::new(&target.directory).write(&members)
    }

    /// The paths that the app reads
    pub(super) fn files(&self) -> Vec<(PathBuf, Permissions)> {
        self.members.iter().map(|member| (self.path.join(&member.name), member.permissions)).collect()
    }
}
