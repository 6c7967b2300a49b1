//! The stamp on the root of a tree: a run with this wanted state has finished.
//!
//! It is an extended attribute of the `user` kind, so that a process with write access to the root
//! could forge it: the app, and only for its own tree.

use rustix::{
    fd::AsFd,
    fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr},
    io::{self, Errno},
};
use sha2::{Digest, Sha256};

const ATTRIBUTE: &str = "user.sidekit.fix-perms";
/// Changes when what a run does for the same settings changes
const VERSION: &str = "2";

/// The stamp of one wanted state
#[derive(Debug)]
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
        let mut bytes = [0; 64];
        matches!(fgetxattr(root, ATTRIBUTE, &mut bytes), Ok(length) if &bytes[..length] == self.0.as_bytes())
    }

    pub(crate) fn put(&self, root: impl AsFd) -> io::Result<()> {
        fsetxattr(root, ATTRIBUTE, self.0.as_bytes(), XattrFlags::empty())
    }

    /// Takes this stamp away, if it is there: the run has not finished after all.
    pub(crate) fn remove(&self, root: impl AsFd) {
        if self.is_on(&root) {
            // A stamp that stays is not trusted while the root is wrong.
            let _ = fremovexattr(root, ATTRIBUTE);
        }
    }

    /// Takes the stamp of any other state away, since that state is about to end.
    pub(crate) fn remove_others(&self, root: impl AsFd) -> io::Result<()> {
        if self.is_on(&root) {
            return Ok(());
        }
        match fgetxattr(&root, ATTRIBUTE, &mut [0; 0][..]) {
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
            // A file system that is read-only keeps that state.
            _ => fremovexattr(root, ATTRIBUTE).or_else(|error| if error == Errno::ROFS { Ok(()) } else { Err(error) }),
        }
    }
}
