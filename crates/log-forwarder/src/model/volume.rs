//! A file system in memory, whose files may be renamed, copied, truncated and deleted between any two questions.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    content::{
        volume::{Entry, Handle, Inode, Kind, Stat, Volume},
        zeros::trimmed,
    },
    files::names::Rename,
};

/// The directory of all files
pub(super) const DIRECTORY: &str = "/logs";

/// A file system; its clones are one
#[derive(Clone, Debug, Default)]
pub(super) struct Model(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<PathBuf, Number>,
    files: BTreeMap<Number, Stored>,
    /// Inodes of deleted files that are used again, as ext4 does it
    free: Vec<u64>,
    next_inode: u64,
    clock: i64,
    /// Renames of which the forwarder has had no event yet
    renames: Vec<Rename>,
    /// Renames that come after this number of questions
    ambush: Option<(u32, Vec<(PathBuf, PathBuf)>)>,
}

/// A file, also after its inode was given to another one
type Number = u64;

#[derive(Debug)]
struct Stored {
    inode: u64,
    born: i64,
    modified: i64,
    links: u64,
    /// Descriptors that are open
    opens: u64,
    /// Reads fail.
    is_damaged: bool,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    model: Model,
    number: Number,
}

impl Model {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes behind the text of a file, which is made if it is missing.
    pub(super) fn append(&self, path: &Path, bytes: &[u8]) {
        let state = &mut *self.state();
        state.clock += 1;
        let number = state.number(path);
        if let Some(file) = state.files.get_mut(&number) {
            let text = trimmed(&file.bytes);
            let zeros = file.bytes.len().saturating_sub(text + bytes.len());
            file.bytes.truncate(text);
            file.bytes.extend_from_slice(bytes);
            file.bytes.resize(text + bytes.len() + zeros, 0);
            file.modified = state.clock;
        }
    }

    /// Extends a file with zeros, or takes those at its end away.
    pub(super) fn resize(&self, path: &Path, zeros: usize) {
        let state = &mut *self.state();
        state.clock += 1;
        let clock = state.clock;
        if let Some(file) = state.names.get(path).and_then(|number| state.files.get_mut(number)) {
            file.bytes.truncate(trimmed(&file.bytes));
            file.bytes.resize(file.bytes.len() + zeros, 0);
            file.modified = clock;
        }
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) {
        self.state().rename(from, to);
    }

    /// Does these renames after some more questions.
    pub(super) fn rename_after(&self, questions: u32, renames: Vec<(PathBuf, PathBuf)>) {
        self.state().ambush = Some((questions, renames));
    }

    /// Gives up what [`Self::rename_after`] has not done yet. True if there was something.
    pub(super) fn call_off(&self) -> bool {
        self.state().ambush.take().is_some()
    }

    /// The renames since the last call
    pub(super) fn take_renames(&self) -> Vec<Rename> {
        std::mem::take(&mut self.state().renames)
    }

    /// The state for a question of the forwarder
    fn asked(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        match state.ambush.take() {
            Some((0, renames)) => renames.iter().for_each(|(from, to)| state.rename(from, to)),
            Some((questions, renames)) => state.ambush = Some((questions - 1, renames)),
            None => {}
        }
        state
    }

    /// Copies a file as it is now.
    pub(super) fn copy(&self, from: &Path, to: &Path) {
        let bytes = self.bytes(from);
        self.state().unlink(to);
        if let Some(bytes) = bytes {
            self.append(to, &bytes);
        }
    }

    pub(super) fn truncate(&self, path: &Path) {
        let state = &mut *self.state();
        state.clock += 1;
        let clock = state.clock;
        if let Some(file) = state.names.get(path).and_then(|number| state.files.get_mut(number)) {
            file.bytes.clear();
            file.modified = clock;
        }
    }

    /// Lets all reads of a file fail, or no more.
    #[cfg(test)]
    pub(super) fn damage(&self, path: &Path, is_damaged: bool) {
        let state = &mut *self.state();
        if let Some(file) = state.names.get(path).and_then(|number| state.files.get_mut(number)) {
            file.is_damaged = is_damaged;
        }
    }

    pub(super) fn delete(&self, path: &Path) {
        self.state().unlink(path);
    }

    /// The content of a path
    pub(super) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(path).map(|number| state.files[number].bytes.clone())
    }

    /// All paths with their contents
    pub(super) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.state();
        state.names.iter().map(|(path, number)| (path.clone(), state.files[number].bytes.clone())).collect()
    }
}

impl State {
    fn rename(&mut self, from: &Path, to: &Path) {
        let Some(number) = self.names.remove(from) else { return };
        self.unlink(to);
        self.names.insert(to.to_path_buf(), number);
        self.renames.push(Rename { from: from.to_path_buf(), to: to.to_path_buf() });
    }

    fn number(&mut self, path: &Path) -> Number {
        if let Some(number) = self.names.get(path) {
            return *number;
        }
        let inode = self.free.pop().unwrap_or_else(|| {
            self.next_inode += 1;
            self.next_inode
        });
        let number = self.files.len() as Number;
        let file = Stored {
            inode,
            born: self.clock,
            modified: self.clock,
            links: 1,
            opens: 0,
            is_damaged: false,
            bytes: Vec::new(),
        };
        self.files.insert(number, file);
        self.names.insert(path.to_path_buf(), number);
        number
    }

    fn unlink(&mut self, path: &Path) {
        let Some(number) = self.names.remove(path) else { return };
        self.change(number, |file| file.links = 0);
    }

    /// An inode is used again when no name and no descriptor leads to its file any more.
    fn change(&mut self, number: Number, change: impl FnOnce(&mut Stored)) {
        let Some(file) = self.files.get_mut(&number) else { return };
        change(file);
        if file.links == 0 && file.opens == 0 {
            self.free.push(file.inode);
        }
    }

    fn stat(&self, number: Number) -> Stat {
        let file = &self.files[&number];
        Stat {
            inode: Inode { device: 1, inode: file.inode },
            born: Some(file.born),
            size: file.bytes.len() as u64,
            modified: file.modified * 1_000_000,
            links: file.links,
            kind: Kind::Regular,
        }
    }
}

impl Volume for Model {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let state = self.asked();
        if path == Path::new(DIRECTORY) {
            let inode = Inode { device: 1, inode: 0 };
            return Ok(Stat { inode, born: None, size: 0, modified: 0, links: 1, kind: Kind::Directory });
        }
        state.names.get(path).map(|number| state.stat(*number)).ok_or(io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let state = self.asked();
        if directory != Path::new(DIRECTORY) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entry =
            |(path, number): (&PathBuf, &Number)| Entry { path: path.as_path().into(), stat: state.stat(*number) };
        Ok(state.names.iter().map(entry).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Handle>> {
        let mut state = self.asked();
        let number = state.names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        state.change(number, |file| file.opens += 1);
        Ok(Arc::new(Open { model: self.clone(), number }))
    }

    fn home(&self, path: &Path) -> PathBuf {
        path.parent().unwrap_or(Path::new("/")).to_path_buf()
    }
}

impl Handle for Open {
    fn stat(&self) -> io::Result<Stat> {
        Ok(self.model.asked().stat(self.number))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.model.asked();
        let Stored { bytes, is_damaged, .. } = &state.files[&self.number];
        if *is_damaged {
            return Err(io::Error::other("input/output error"));
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }

    fn data_from(&self, offset: u64) -> io::Result<u64> {
        Ok(offset)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.model.state().change(self.number, |file| file.opens -= 1);
    }
}
