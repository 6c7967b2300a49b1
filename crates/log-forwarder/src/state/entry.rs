//! A file in a checkpoint.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};

use super::stored_path::StoredPath;
use crate::content::{fingerprint::Head, volume::Inode};

/// The files of a checkpoint that was loaded
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Entries(pub(crate) Vec<Entry>);

/// A generation. It shares what it can with others and with the known files, because there may be
/// tens of thousands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: StoredPath,
    pub(crate) home: StoredPath,
    pub(crate) generation: Arc<str>,
    #[serde(flatten)]
    pub(crate) inode: Inode,
    #[serde(default)]
    pub(crate) born: Option<i64>,
    pub(crate) ordinal: u32,
    pub(crate) head: Head,
    pub(crate) seen: u64,
    /// It may have grown since.
    #[serde(default)]
    pub(crate) may_grow: bool,
    pub(crate) modified: i64,
    /// When its text was last written, if it was compressed later
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) written: Option<i64>,
    /// The size of the compressed file, if the bytes lie in one that was unpacked to its end; 0 if
    /// its end is not known yet
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) packed: Option<u64>,
    pub(crate) cursors: Vec<Progress>,
}

/// How far an output has come
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) output: Arc<str>,
    pub(crate) position: u64,
    /// A hash of the bytes before the position
    pub(crate) anchor: u64,
    pub(crate) skipping: bool,
}

/// Reads entries, and keeps each directory and each output only once.
impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Sharing)
    }
}

struct Sharing;

impl<'de> Visitor<'de> for Sharing {
    type Value = Entries;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Entries, A::Error> {
        let (mut homes, mut outputs) = (BTreeSet::new(), BTreeSet::new());
        let mut entries = Vec::new();
        while let Some(mut entry) = sequence.next_element::<Entry>()? {
            share(&mut entry.home.0, &mut homes);
            entry.cursors.iter_mut().for_each(|cursor| share(&mut cursor.output, &mut outputs));
            entry.cursors.shrink_to_fit();
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

/// Replaces a value by an equal one that is known.
pub(super) fn share<T: Ord + ?Sized>(value: &mut Arc<T>, known: &mut BTreeSet<Arc<T>>) {
    match known.get(value) {
        Some(same) => *value = same.clone(),
        None => drop(known.insert(value.clone())),
    }
}
