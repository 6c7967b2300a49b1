//! A path in a checkpoint: text, or the bytes of a path that is not UTF-8, of which JSON has no text.

use std::{
    ffi::OsString,
    ops::Deref,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path in a checkpoint
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredPath(pub(super) Arc<Path>);

/// Both forms in which a path is stored
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Text(PathBuf),
    Bytes(Vec<u8>),
}

impl From<Arc<Path>> for StoredPath {
    fn from(path: Arc<Path>) -> Self {
        Self(path)
    }
}

impl Deref for StoredPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Serialize for StoredPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => self.0.as_os_str().as_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for StoredPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Text(path) => path.into(),
            Form::Bytes(bytes) => Path::new(&OsString::from_vec(bytes)).into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn any_path_is_read_as_it_was_written() {
        for (bytes, text) in
            [(&b"/logs/\xC3\xA9.log"[..], "\"/logs/é.log\""), (b"/\xFF.log", "[47,255,46,108,111,103]")]
        {
            let path = StoredPath(Path::new(OsStr::from_bytes(bytes)).into());
            assert_eq!(serde_json::to_string(&path).unwrap(), text);
            assert_eq!(serde_json::from_str::<StoredPath>(text).unwrap(), path);
        }
    }
}
