//! The names and the files of a file system in memory, and all that apps and tools do with them.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};

use crate::{
    content::{
        volume::{Inode, Kind, Stat},
        zeros::trimmed,
    },
    files::names::Rename,
};

/// A change of the file system by an app or a tool
#[derive(Clone, Debug)]
pub(in crate::model) enum Act {
    Rename(PathBuf, PathBuf),
    /// Makes an empty file, in the place of one that is there.
    Make(PathBuf),
    /// Writes the bytes that one file has behind those of another.
    Copy(PathBuf, PathBuf),
    Truncate(PathBuf),
    /// Writes behind the text of a file, which is made if it is missing.
    Append(PathBuf, Vec<u8>),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) names: BTreeMap<PathBuf, Number>,
    pub(super) files: BTreeMap<Number, Stored>,
    /// Inodes of deleted files that are used again, as ext4 does it
    free: Vec<u64>,
    next_inode: u64,
    /// Milliseconds
    pub(super) clock: i64,
    /// Renames of which the forwarder has had no event yet
    pub(super) renames: Vec<Rename>,
    /// Acts between the questions of the forwarder, each with the number of questions before it
    pub(super) ambush: VecDeque<(u32, Act)>,
}

/// A file, also after its inode was given to another one
pub(super) type Number = u64;

#[derive(Debug)]
pub(super) struct Stored {
    inode: u64,
    born: i64,
    pub(super) modified: i64,
    links: u64,
    /// Descriptors that are open
    pub(super) opens: u64,
    /// Reads fail.
    pub(super) is_damaged: bool,
    /// Reads so far, if each of them finds other first bytes
    pub(super) unsteady: Option<u16>,
    pub(super) bytes: Vec<u8>,
    /// Its bytes before each truncation
    pub(super) past: Vec<u8>,
}

impl State {
    /// Before a question of the forwarder: what comes between this one and the last
    pub(super) fn spring(&mut self) {
        while let Some((questions, act)) = self.ambush.pop_front() {
            if questions > 0 {
                self.ambush.push_front((questions - 1, act));
                break;
            }
            self.act(&act);
        }
    }

    pub(super) fn act(&mut self, act: &Act) {
        self.clock += 1;
        match act {
            Act::Rename(from, to) => self.rename(from, to),
            Act::Make(path) => {
                self.unlink(path);
                self.number(path);
            }
            Act::Copy(from, to) => {
                let bytes = self.names.get(from).map(|number| self.files[number].bytes.clone());
                self.append(to, &bytes.unwrap_or_default());
            }
            Act::Truncate(path) => self.truncate(path),
            Act::Append(path, bytes) => self.append(path, bytes),
        }
    }

    /// Changes the bytes of a file, if it is there.
    pub(super) fn write(&mut self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        self.clock += 1;
        if let Some(file) = self.names.get(path).and_then(|number| self.files.get_mut(number)) {
            change(&mut file.bytes);
            file.modified = self.clock;
        }
    }

    fn append(&mut self, path: &Path, bytes: &[u8]) {
        self.number(path);
        self.write(path, |file| {
            let text = trimmed(file);
            let zeros = file.len().saturating_sub(text + bytes.len());
            file.truncate(text);
            file.extend_from_slice(bytes);
            file.resize(text + bytes.len() + zeros, 0);
        });
    }

    fn truncate(&mut self, path: &Path) {
        if let Some(file) = self.names.get(path).and_then(|number| self.files.get_mut(number)) {
            file.past.extend_from_slice(&file.bytes);
            file.past.push(b'\n');
        }
        self.write(path, Vec::clear);
    }

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
            unsteady: None,
            bytes: Vec::new(),
            past: Vec::new(),
        };
        self.files.insert(number, file);
        self.names.insert(path.to_path_buf(), number);
        number
    }

    pub(super) fn unlink(&mut self, path: &Path) {
        let Some(number) = self.names.remove(path) else { return };
        self.change(number, |file| file.links = 0);
    }

    /// An inode is used again when no name and no descriptor leads to its file any more.
    pub(super) fn change(&mut self, number: Number, change: impl FnOnce(&mut Stored)) {
        let Some(file) = self.files.get_mut(&number) else { return };
        change(file);
        if file.links == 0 && file.opens == 0 {
            self.free.push(file.inode);
        }
    }

    pub(super) fn stat(&self, number: Number) -> Stat {
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
