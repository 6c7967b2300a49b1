//! The state that a restart needs: for each generation its identity, and how far each output has
//! come.

use std::{io, path::Path};

use files::{Directory, Permissions};
use serde::{Deserialize, Serialize};

use super::{
    bounded::Bounded,
    entry::{Entries, share},
    snapshot::Snapshot,
    stored_path::StoredPath,
};
use crate::{
    content::volume::{Inode, Stat},
    files::{follower::Follower, names::Bystander},
};

const NAME: &str = "checkpoint.json";
/// The file holds paths, offsets and hashes, and no line, so that users who may list the logs may
/// read it.
const PERMISSIONS: Permissions = Permissions::mode(0o644);
/// Of the format: another one is not read
const VERSION: u32 = 2;
/// Bytes of a checkpoint that are written and read; it has about 400 for each file
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// The state that a restart needs
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint<Files = Entries> {
    version: u32,
    /// Inputs, by their text, whose files were looked for
    #[serde(default)]
    pub(crate) inputs: Vec<String>,
    /// Paths that inputs have led to
    pub(crate) watched: Vec<StoredPath>,
    /// Those of them that were rotated unseen, and beside which no scan has looked for rotated
    /// files since
    pub(crate) rotated: Vec<StoredPath>,
    /// Files with names of rotated ones that belong to no input
    pub(crate) bystanders: Vec<(Inode, Bystander)>,
    pub(crate) files: Files,
    /// The time of its file, in nanoseconds since 1970
    #[serde(skip)]
    pub(crate) saved: Option<i64>,
}

impl Checkpoint<Snapshot> {
    /// The present state
    pub(crate) fn of(follower: &Follower) -> Self {
        let names = &follower.names;
        Self {
            version: VERSION,
            inputs: follower.scanner.selecting.known().iter().cloned().collect(),
            watched: names.watched().iter().map(|path| path.clone().into()).collect(),
            rotated: names.rotated().iter().map(|path| path.clone().into()).collect(),
            bystanders: names.bystanders().iter().map(|(inode, bystander)| (*inode, *bystander)).collect(),
            files: Snapshot::of(follower),
            saved: None,
        }
    }

    /// The files in it
    pub(crate) fn count(&self) -> usize {
        self.files.len()
    }

    /// What a restart would load
    #[cfg(any(test, fuzzing))]
    pub(crate) fn reloaded(&self) -> Checkpoint {
        Checkpoint::parse(&serde_json::to_vec(self).expect("JSON")[..]).expect("a checkpoint")
    }
}

impl Checkpoint {
    /// Reads the checkpoint of a state directory; `None` if there is none. A damaged one is an
    /// error that says so. A symbolic link is refused: an app that may write to the directory could
    /// make it lead anywhere.
    pub(crate) fn load(directory: &Path) -> io::Result<Option<Self>> {
        let directory = match Directory::open(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        directory.read_with(NAME, SIZE_LIMIT, |file| {
            let saved = Stat::of(&file.get_ref().get_ref().metadata()?).modified;
            Self::parse(file).map(|checkpoint| Self { saved: Some(saved), ..checkpoint }).map_err(io::Error::other)
        })
    }

    /// Names only the place of a fault, because the text around it may be anything.
    fn parse(text: impl io::Read) -> Result<Self, String> {
        let damaged = |error: serde_json::Error| format!("it is damaged at {}:{}", error.line(), error.column());
        let mut checkpoint: Self = serde_json::from_reader(text).map_err(damaged)?;
        if checkpoint.version != VERSION {
            return Err(format!("it has version {}, and only {VERSION} is known", checkpoint.version));
        }
        let mut paths = checkpoint.watched.iter().map(|StoredPath(path)| path.clone()).collect();
        checkpoint.files.0.iter_mut().for_each(|entry| share(&mut entry.path.0, &mut paths));
        Ok(checkpoint)
    }

    /// Panics unless a checkpoint that can be read is written so that it is read the same.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn assert_stable(text: &str) {
        if let Ok(checkpoint) = Self::parse(text.as_bytes()) {
            let written = serde_json::to_vec(&checkpoint).expect("JSON");
            assert_eq!(Self::parse(&written[..]), Ok(checkpoint));
        }
    }

    /// Removes the temporary files of killed runs, with the lock of the directory held, and returns
    /// their number.
    pub(crate) fn remove_leftovers(directory: &Directory) -> io::Result<usize> {
        directory.remove_leftovers(NAME)
    }
}

impl<Files: Serialize> Checkpoint<Files> {
    /// Writes it: whole or not at all, and on the disk on return. One that a restart would not read
    /// is an error.
    pub(crate) fn save(&self, directory: &Path) -> io::Result<()> {
        self.save_within(SIZE_LIMIT, directory)
    }

    fn save_within(&self, limit: u64, directory: &Path) -> io::Result<()> {
        let directory = Directory::create(directory)?;
        directory.write_with(NAME, PERMISSIONS, |out| Ok(serde_json::to_writer(Bounded::new(out, limit), self)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        content::fingerprint::Head,
        state::entry::{Entry, Progress},
    };

    fn checkpoint() -> Checkpoint {
        let path = |path: &str| StoredPath(Path::new(path).into());
        let entry = Entry {
            path: path("/logs/a.log"),
            home: path("/logs"),
            generation: "0123456789abcdef".into(),
            inode: Inode { device: 1, inode: u64::MAX },
            born: Some(i64::MAX),
            ordinal: 2,
            head: Head { length: 9, hash: u64::MAX },
            seen: 1 << 40,
            may_grow: true,
            modified: i64::MIN,
            written: Some(-1),
            packed: Some(5),
            cursors: vec![Progress { output: "stdout".into(), position: 9, anchor: u64::MAX, skipping: true }],
        };
        let bystanders = vec![(Inode { device: 1, inode: 2 }, Bystander { modified: 7, born: None })];
        let watched = vec![path("/logs/a.log")];
        let inputs = vec!["/logs/*.log".into()];
        Checkpoint {
            version: VERSION,
            inputs,
            rotated: Vec::clone(&watched),
            watched,
            bystanders,
            files: Entries(vec![entry]),
            saved: None,
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("new/state");
        assert_eq!(Checkpoint::load(&state).unwrap(), None);
        checkpoint().save(&state).unwrap();
        let loaded = Checkpoint::load(&state).unwrap().unwrap();
        assert!(loaded.saved.is_some());
        assert_eq!(Checkpoint { saved: None, ..loaded }, checkpoint());
    }

    #[test]
    fn a_checkpoint_that_would_not_be_read_leaves_the_last_one_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let length = serde_json::to_vec(&checkpoint()).unwrap().len() as u64;
        checkpoint().save_within(length, directory.path()).unwrap();
        let larger = Checkpoint { inputs: vec!["/logs/*.log".into(); 2], ..checkpoint() };
        let error = larger.save_within(length, directory.path()).unwrap_err();
        assert!(error.to_string().contains("delete rotated files"), "{error}");
        let loaded = Checkpoint::load(directory.path()).unwrap().unwrap();
        assert_eq!(Checkpoint { saved: None, ..loaded }, checkpoint());
    }

    proptest! {
        #[test]
        fn a_cut_checkpoint_is_damaged_and_no_text_panics(cut in any::<prop::sample::Index>(), text in "\\PC*") {
            let whole = serde_json::to_string(&checkpoint()).unwrap();
            prop_assert!(Checkpoint::parse(&whole.as_bytes()[..cut.index(whole.len())]).is_err());
            let _ = Checkpoint::parse(text.as_bytes());
            let _ = Checkpoint::parse(whole.replacen('9', &text, 1).as_bytes());
        }
    }
}
