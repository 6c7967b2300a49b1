//! A file system in memory, whose files may be renamed, copied, truncated, written and deleted between any two questions.

mod open;
mod state;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(super) use self::state::Act;
use self::{
    open::Open,
    state::{Number, State, Stored},
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

impl Model {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn act(&self, act: &Act) {
        self.state().act(act);
    }

    /// Lets this happen between the questions that follow: each act after a number of them.
    pub(super) fn ambush(&self, acts: Vec<(u32, Act)>) {
        self.state().ambush = acts.into();
    }

    /// Does what no question has come for.
    pub(super) fn finish_ambush(&self) {
        let mut state = self.state();
        let acts = std::mem::take(&mut state.ambush);
        for (_, act) in acts {
            state.act(&act);
        }
    }

    /// Extends a file with zeros, or takes those at its end away.
    pub(super) fn resize(&self, path: &Path, zeros: usize) {
        self.state().write(path, |bytes| {
            bytes.truncate(trimmed(bytes));
            bytes.resize(bytes.len() + zeros, 0);
        });
    }

    /// Sets the clock by a number of milliseconds.
    pub(super) fn set_clock(&self, milliseconds: i64) {
        self.state().clock += milliseconds;
    }

    /// The renames since the last call
    pub(super) fn take_renames(&self) -> Vec<Rename> {
        std::mem::take(&mut self.state().renames)
    }

    /// The state for a question of the forwarder
    fn asked(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.spring();
        state
    }

    /// Gives a file another time.
    #[cfg(test)]
    pub(super) fn touch(&self, path: &Path, modified: i64) {
        let state = &mut *self.state();
        if let Some(file) = state.names.get(path).and_then(|number| state.files.get_mut(number)) {
            file.modified = modified;
        }
    }

    /// Lets all reads of a file fail.
    pub(super) fn damage(&self, path: &Path) {
        let state = &mut *self.state();
        if let Some(file) = state.names.get(path).and_then(|number| state.files.get_mut(number)) {
            file.is_damaged = true;
        }
    }

    /// Lets each read of a file find other first bytes, or no more.
    #[cfg(test)]
    pub(super) fn unsettle(&self, path: &Path, is_unsteady: bool) {
        let state = &mut *self.state();
        if let Some(file) = state.names.get(path).and_then(|number| state.files.get_mut(number)) {
            file.unsteady = is_unsteady.then_some(0);
        }
    }

    /// Writes over the first byte of a file.
    #[cfg(test)]
    pub(super) fn rewrite(&self, path: &Path, byte: u8) {
        self.state().write(path, |bytes| bytes[0] = byte);
    }

    /// Lets reads fail no more.
    pub(super) fn heal(&self) {
        self.state().files.values_mut().for_each(|file| file.is_damaged = false);
    }

    /// All bytes that the files have had whose reads fail
    pub(super) fn unreadable(&self) -> Vec<Vec<u8>> {
        let state = self.state();
        let damaged = state.files.values().filter(|file| file.is_damaged);
        damaged.map(|file| [file.past.as_slice(), &file.bytes].concat()).collect()
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
        Ok(Arc::new(Open::new(self.clone(), number)))
    }

    fn home(&self, path: &Path) -> PathBuf {
        path.parent().unwrap_or(Path::new("/")).to_path_buf()
    }
}
