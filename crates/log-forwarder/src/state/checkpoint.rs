//! The state that a restart needs: for each generation its identity, and how far each output has come.

use std::{io, path::Path};

use files::{Directory, Permissions};
use serde::{Deserialize, Serialize, Serializer};

use super::stored_path::StoredPath;
use crate::{
    content::{fingerprint::Head, volume::Inode},
    files::{follower::Follower, known::KnownFile, names::Bystander, set::Outlet},
};

const NAME: &str = "checkpoint.json";
/// The file holds paths, offsets and hashes, and no line, so that users who may list the logs may read it.
const PERMISSIONS: Permissions = Permissions::mode(0o644);
/// Of the format: another one is not read
const VERSION: u32 = 2;
/// Bytes of the text of most files and their paths
const ROOM: usize = 512;
/// Bytes of a checkpoint that are read; it has about 400 for each file
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

/// The state that a restart needs
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint<Files = Vec<Entry>> {
    version: u32,
    /// Inputs, by their text, whose files were looked for
    #[serde(default)]
    pub(crate) inputs: Vec<String>,
    /// Paths that inputs have led to
    pub(crate) watched: Vec<StoredPath>,
    /// Those of them that were rotated unseen, and beside which no scan has looked for rotated files since
    pub(crate) rotated: Vec<StoredPath>,
    /// Files with names of rotated ones that belong to no input
    pub(crate) bystanders: Vec<(Inode, Bystander)>,
    pub(crate) files: Files,
}

/// The files of a follower, each of which is an entry only while it is written: there may be tens of thousands.
#[derive(Clone, Copy)]
pub(crate) struct Present<'a>(&'a Follower);

/// A generation
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: StoredPath,
    pub(crate) home: StoredPath,
    pub(crate) generation: String,
    #[serde(flatten)]
    pub(crate) inode: Inode,
    #[serde(default)]
    pub(crate) born: Option<i64>,
    pub(crate) ordinal: u32,
    pub(crate) head: Head,
    pub(crate) seen: u64,
    pub(crate) modified: i64,
    /// The size of the compressed file, if the bytes lie in one that was unpacked to its end; 0 if its end is not known yet
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) packed: Option<u64>,
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

impl<'a> Checkpoint<Present<'a>> {
    pub(crate) fn of(follower: &'a Follower) -> Self {
        let names = &follower.names;
        Self {
            version: VERSION,
            inputs: follower.scanner.selecting.known().iter().cloned().collect(),
            watched: names.watched().iter().map(|path| path.as_path().into()).collect(),
            rotated: names.rotated().iter().map(|path| path.as_path().into()).collect(),
            bystanders: names.bystanders().iter().map(|(inode, bystander)| (*inode, *bystander)).collect(),
            files: Present(follower),
        }
    }

    /// Writes its text over that of a buffer.
    pub(crate) fn write(&self, text: &mut Vec<u8>) -> io::Result<()> {
        text.clear();
        // A buffer that doubles leaves holes in the heap.
        text.reserve(self.files.0.saved_files().count() * ROOM);
        Ok(serde_json::to_writer(text, self)?)
    }

    /// As a restart reads it
    #[cfg(any(test, fuzzing))]
    pub(crate) fn kept(self) -> Checkpoint {
        let Self { version, inputs, watched, rotated, bystanders, files } = self;
        Checkpoint { version, inputs, watched, rotated, bystanders, files: files.entries().collect() }
    }
}

impl<'a> Present<'a> {
    fn entries(self) -> impl Iterator<Item = Entry> + use<'a> {
        self.0.saved_files().map(move |file| Entry::of(file, self.0.set.outlets()))
    }
}

impl Serialize for Present<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries())
    }
}

impl Checkpoint {
    /// Reads the checkpoint of a state directory; `None` if there is none. A damaged one is an error that says so. A symbolic
    /// link is refused: an app that may write to the directory could make it lead anywhere.
    pub(crate) fn load(directory: &Path) -> io::Result<Option<Self>> {
        let directory = match Directory::open(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let Some(bytes) = directory.read(NAME, SIZE_LIMIT)? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is damaged: it is not UTF-8"))?;
        Self::parse(&text).map(Some).map_err(io::Error::other)
    }

    /// Names only the place of a fault, because the text around it may be anything.
    fn parse(text: &str) -> Result<Self, String> {
        let damaged = |error: serde_json::Error| format!("it is damaged at {}:{}", error.line(), error.column());
        let checkpoint: Self = serde_json::from_str(text).map_err(damaged)?;
        if checkpoint.version != VERSION {
            return Err(format!("it has version {}, and only {VERSION} is known", checkpoint.version));
        }
        Ok(checkpoint)
    }

    /// What can be read is written so that it is read the same.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn assert_stable(text: &str) {
        if let Ok(checkpoint) = Self::parse(text) {
            let written = serde_json::to_string(&checkpoint).expect("JSON");
            assert_eq!(Self::parse(&written), Ok(checkpoint));
        }
    }

    /// Writes the text of a checkpoint: whole or not at all, and on the disk on return.
    pub(crate) fn save(text: &[u8], directory: &Path) -> io::Result<()> {
        Directory::create(directory)?.write(NAME, text, PERMISSIONS)
    }

    /// Removes the temporary files of killed runs, with the lock of the directory held, and returns their number.
    pub(crate) fn remove_leftovers(directory: &Directory) -> io::Result<usize> {
        directory.remove_leftovers(NAME)
    }
}

impl Entry {
    fn of(file: &KnownFile, outlets: &[Outlet]) -> Self {
        let open = file.cursors.iter().zip(outlets).filter(|(cursor, _)| !cursor.is_closed);
        let cursors = open.map(|(cursor, outlet)| Progress {
            output: outlet.label.clone(),
            position: cursor.position,
            anchor: cursor.anchor.hash(),
            skipping: cursor.within_cut,
        });
        Self {
            path: file.path().into(),
            home: file.home.as_path().into(),
            generation: file.source.generation.clone(),
            inode: file.inode,
            born: file.born,
            ordinal: file.ordinal,
            head: file.head,
            seen: file.seen,
            modified: file.modified,
            packed: file.packed_size.map(|size| if file.is_measured() { size } else { 0 }),
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
            path: Path::new("/logs/a.log").into(),
            home: Path::new("/logs").into(),
            generation: "0123456789abcdef".into(),
            inode: Inode { device: 1, inode: u64::MAX },
            born: Some(i64::MAX),
            ordinal: 2,
            head: Head { length: 9, hash: u64::MAX },
            seen: 1 << 40,
            modified: i64::MIN,
            packed: Some(5),
            cursors: vec![Progress { output: "stdout".into(), position: 9, anchor: u64::MAX, skipping: true }],
        };
        let bystanders = vec![(Inode { device: 1, inode: 2 }, Bystander { modified: 7, born: None })];
        let watched = vec![Path::new("/logs/a.log").into()];
        let inputs = vec!["/logs/*.log".into()];
        Checkpoint { version: VERSION, inputs, rotated: Vec::clone(&watched), watched, bystanders, files: vec![entry] }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("new/state");
        assert_eq!(Checkpoint::load(&state).unwrap(), None);
        Checkpoint::save(&serde_json::to_vec(&checkpoint()).unwrap(), &state).unwrap();
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
