//! What a restart must know: for each generation who it is, and how far each output has come.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Catalog, Outlet},
    generation::{Generation, Place},
    identity::{Fingerprint, Head, Inode},
};

const NAME: &str = "checkpoint.json";
const TEMPORARY: &str = "checkpoint.json.new";
/// Of the format: another one is not read
const VERSION: u32 = 1;
/// Bytes of a checkpoint that are read; it has about 400 for each file
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// What a restart must know
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    version: u32,
    /// Paths that inputs have led to
    pub(crate) watched: Vec<PathBuf>,
    /// Rotated files that never were ours, and when they were written, in nanoseconds since 1970
    pub(crate) bystanders: Vec<(Inode, i64)>,
    pub(crate) files: Vec<Entry>,
}

/// A generation
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) generation: String,
    #[serde(flatten)]
    pub(crate) inode: Inode,
    #[serde(default)]
    pub(crate) born: Option<i64>,
    pub(crate) ordinal: u32,
    pub(crate) head: Head,
    pub(crate) seen: u64,
    pub(crate) modified: i64,
    pub(crate) cursors: Vec<Progress>,
}

/// How far an output has come
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) output: String,
    pub(crate) position: u64,
    /// A hash of the bytes before the position
    pub(crate) anchor: u64,
    pub(crate) skipping: bool,
}

impl Checkpoint {
    pub(crate) fn of(catalog: &Catalog) -> Self {
        // What is gone can't be found again.
        let generations = catalog.generations.values().filter(|generation| generation.place != Place::Gone);
        let files = generations.map(|generation| Entry::of(generation, &catalog.outlets)).collect();
        let (watched, bystanders) = (catalog.watched.iter().cloned(), catalog.bystanders.iter());
        let bystanders = bystanders.map(|(inode, modified)| (*inode, *modified)).collect();
        Self { version: VERSION, watched: watched.collect(), bystanders, files }
    }

    /// `None` if there is none. A damaged one is an error that says so.
    pub(crate) fn load(directory: &Path) -> io::Result<Option<Self>> {
        let path = directory.join(NAME);
        if !path.try_exists()? {
            return Ok(None);
        }
        Self::parse(&lifecycle::read_text(&path, SIZE_LIMIT)?).map(Some).map_err(io::Error::other)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let checkpoint: Self = serde_json::from_str(text).map_err(|error| format!("it is damaged: {error}"))?;
        if checkpoint.version != VERSION {
            return Err(format!("it has version {}, and only {VERSION} is known", checkpoint.version));
        }
        Ok(checkpoint)
    }

    /// What can be read is written so that it is read the same.
    #[cfg(fuzzing)]
    pub(crate) fn assert_stable(text: &str) {
        if let Ok(checkpoint) = Self::parse(text) {
            let written = serde_json::to_string(&checkpoint).expect("JSON");
            assert_eq!(Self::parse(&written), Ok(checkpoint));
        }
    }

    /// Whole or not at all, and on the disk on return.
    pub(crate) fn save(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let temporary = directory.join(TEMPORARY);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&temporary, directory.join(NAME))?;
        File::open(directory)?.sync_all()
    }
}

impl Entry {
    /// What a file must have to be this one
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let anchors = self.cursors.iter().map(|cursor| (cursor.position, cursor.anchor)).collect();
        Fingerprint { head: self.head, anchors }
    }

    fn of(generation: &Generation, outlets: &[Outlet]) -> Self {
        let open = generation.cursors.iter().zip(outlets).filter(|(cursor, _)| !cursor.closed);
        let cursors = open.map(|(cursor, outlet)| Progress {
            output: outlet.label.clone(),
            position: cursor.position,
            anchor: cursor.anchor.hash(),
            skipping: cursor.skipping,
        });
        Self {
            path: generation.source.path.clone(),
            home: generation.home.clone(),
            generation: generation.source.generation.clone(),
            inode: generation.inode,
            born: generation.born,
            ordinal: generation.ordinal,
            head: generation.head,
            seen: generation.seen,
            modified: generation.modified,
            cursors: cursors.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checkpoint() -> Checkpoint {
        let entry = Entry {
            path: "/logs/a.log".into(),
            home: "/logs".into(),
            generation: "0123456789abcdef".into(),
            inode: Inode { device: 1, inode: u64::MAX },
            born: Some(i64::MAX),
            ordinal: 2,
            head: Head { length: 9, hash: u64::MAX },
            seen: 1 << 40,
            modified: i64::MIN,
            cursors: vec![Progress { output: "stdout".into(), position: 9, anchor: u64::MAX, skipping: true }],
        };
        let bystanders = vec![(Inode { device: 1, inode: 2 }, 7)];
        Checkpoint { version: VERSION, watched: vec!["/logs/a.log".into()], bystanders, files: vec![entry] }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("new/state");
        assert_eq!(Checkpoint::load(&state).unwrap(), None);
        checkpoint().save(&state).unwrap();
        assert_eq!(Checkpoint::load(&state).unwrap(), Some(checkpoint()));
    }

    proptest! {
        #[test]
        fn a_cut_checkpoint_is_damaged_and_no_text_panics(at in 0..300usize, text in "\\PC*") {
            let whole = serde_json::to_string(&checkpoint()).unwrap();
            prop_assert!(Checkpoint::parse(&whole[..at.min(whole.len() - 1)]).is_err());
            let _ = Checkpoint::parse(&text);
            let _ = Checkpoint::parse(&whole.replacen('9', &text, 1));
        }
    }
}
