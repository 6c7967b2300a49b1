//! The stamps on the root of a tree: a run with this wanted state has finished.
//!
//! They are an extended attribute of the `user` kind, so that a process with write access to the
//! root could forge it: the app, and only for its own tree. There are several, because two runs
//! with different settings may share a tree.

use std::sync::{Arc, OnceLock};

use rustix::{
    fd::AsFd,
    fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr},
    io::{self, Errno},
};
use sha2::{Digest, Sha256};

use crate::{capabilities::error_text, directory::Directory};

const ATTRIBUTE: &str = "user.sidekit.fix-perms";
/// Changes when what a run does for the same settings changes
const VERSION: &str = "3";
/// Stamps on one root; the oldest goes first
const MOST: usize = 4;

/// The stamps of a root, which end with the first change of its tree
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    root: OnceLock<Arc<Directory>>,
    are_gone: OnceLock<()>,
}

impl Stamps {
    /// They are those of this root.
    pub(crate) fn are_of(&self, root: &Arc<Directory>) {
        let _ = self.root.set(root.clone());
    }

    /// Takes them away: to be called before each change. A change waits until they are gone.
    pub(crate) fn end(&self) {
        if self.root.get().is_some() {
            self.are_gone.get_or_init(|| self.remove());
        }
    }

    /// Takes them away, also where they were to stay.
    pub(crate) fn remove(&self) {
        let Some(root) = self.root.get() else { return };
        if let Err(error) = remove(root) {
            let (path, reason) = (root.about.trail.printed(), error_text(error));
            let remedy = "take it away by hand, with setfattr -x user.sidekit.fix-perms";
            tracing::warn!(path, reason, remedy, "a stamp stays, and --policy stamp trusts it");
        }
    }

    /// Whether anything was changed.
    pub(crate) fn have_ended(&self) -> bool {
        self.are_gone.get().is_some()
    }

    /// They stay while the root itself is changed, because they count only while it is right.
    pub(crate) fn stay(&self) {
        let _ = self.are_gone.set(());
    }
}

/// The stamp of one wanted state
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp(String);

impl Stamp {
    /// `state` is all that decides what a run does, in words.
    pub(crate) fn of(state: &str) -> Self {
        // Half of the hash is enough: an accident is out of the question.
        let hash = Sha256::digest(state).first_chunk().copied().map_or(0, u128::from_be_bytes);
        Self(format!("{VERSION}:{hash:032x}"))
    }

    /// Whether this very stamp is on the root
    pub(crate) fn is_on(&self, root: impl AsFd) -> bool {
        read(root).contains(&self.0)
    }

    /// Puts it beside those that are there.
    pub(crate) fn put(&self, root: impl AsFd) -> io::Result<()> {
        let mut stamps = read(&root);
        stamps.insert(0, self.0.clone());
        stamps.truncate(MOST);
        fsetxattr(root, ATTRIBUTE, stamps.join(",").as_bytes(), XattrFlags::empty())
    }
}

fn remove(root: impl AsFd) -> io::Result<()> {
    // A stamp that can't be read is not trusted.
    if fgetxattr(&root, ATTRIBUTE, &mut [0; 0][..]).is_err() {
        return Ok(());
    }
    match fremovexattr(root, ATTRIBUTE) {
        // A file system that is read-only keeps that state.
        Err(Errno::NODATA | Errno::ROFS) => Ok(()),
        removed => removed,
    }
}

fn read(root: impl AsFd) -> Vec<String> {
    let mut bytes = [0; 256];
    let length = fgetxattr(root, ATTRIBUTE, &mut bytes).unwrap_or(0);
    let text = str::from_utf8(&bytes[..length]).unwrap_or_default();
    text.split(',').filter(|stamp| stamp.starts_with(VERSION)).map(str::to_owned).collect()
}
