//! A few entries of a tree, drawn at random: a quick look at whether a big one is right.

use std::{
    ffi::{CStr, CString},
    mem::MaybeUninit,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use rustix::{fd::AsFd, io::Errno};

use crate::{
    capabilities::Action, directory::Directory, exclude::Excludes, fixer::Fixer, ledger::Text, refusal::Refusal,
    stat::Stat, trail::Trail,
};

const READ_SIZE: usize = 32 * 1024;
/// Readings of one directory that a name is drawn from: some 30,000 names
const READ_LIMIT: usize = 32;
/// One of this number of directories on the way down is itself the entry.
const STAY: u32 = 4;

/// How entries are drawn and looked at
pub(crate) struct Sample<'a> {
    pub(crate) fixer: Fixer<'a>,
    pub(crate) excludes: Excludes,
    pub(crate) max_depth: usize,
}

impl Sample<'_> {
    /// Looks at `count` entries below the root; each way down is drawn again, so that entries of
    /// small directories come up more often than those of big ones.
    pub(crate) fn look(&self, root: &Arc<Directory>, count: u32) {
        for _ in 0..count {
            if self.fixer.stopped.load(Relaxed) {
                return;
            }
            self.descend(root);
        }
    }

    fn descend(&self, root: &Arc<Directory>) {
        let mut at = root.clone();
        while at.about.depth < self.max_depth {
            let name = match self.draw(&at) {
                Ok(Some(name)) => name,
                Ok(None) => break,
                Err(error) => return self.refused(error, &at, c"."),
            };
            match at.enter(&name) {
                // Another draw may find another entry.
                Ok(directory) if self.leaves_out(&directory) => return,
                Ok(directory) => {
                    at = directory.into();
                    if fastrand::u32(..STAY) == 0 {
                        break;
                    }
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return self.look_at(&at, &name).unwrap_or_else(|error| self.refused(error, &at, &name));
                }
                Err(error) => return self.refused(error, &at, &name),
            }
        }
        // The root was looked at before.
        if at.about.depth > 0 {
            self.fixer.ledger.seen.fetch_add(1, Relaxed);
            self.fixer.set_directory(&at);
        }
    }

    /// One name of a directory, each with the same chance among the first 30,000; `None` if it is
    /// empty.
    fn draw(&self, directory: &Directory) -> Result<Option<CString>, Errno> {
        directory.rewind()?;
        let mut buffer = vec![MaybeUninit::uninit(); READ_SIZE];
        let (mut drawn, mut names) = (None, 0);
        let about = &directory.about;
        for _ in 0..READ_LIMIT {
            let more = directory.read(&mut buffer, |name, _| {
                if !self.excludes.contain(&about.trail, about.depth, name.to_bytes()) {
                    names += 1;
                    if fastrand::u32(..names) == 0 {
                        drawn = Some(name.to_owned());
                    }
                }
            })?;
            if !more {
                break;
            }
        }
        Ok(drawn)
    }

    fn look_at(&self, directory: &Directory, name: &CStr) -> Result<(), Errno> {
        let pinned = directory.pin(name)?;
        let stat = Stat::open(&pinned)?.in_directory(&directory.about.stat);
        let path: Text = &|| Trail::below(&directory.about.trail, name.to_bytes()).whole();
        if !self.fixer.mounts.leave_out(&pinned, &stat, path) {
            self.fixer.ledger.seen.fetch_add(1, Relaxed);
            self.fixer.set(pinned.as_fd(), &stat, path);
        }
        Ok(())
    }

    fn leaves_out(&self, directory: &Directory) -> bool {
        let about = &directory.about;
        self.fixer.mounts.leave_out(directory, &about.stat, &|| about.trail.whole())
    }

    fn refused(&self, error: Errno, directory: &Directory, name: &CStr) {
        let path: Text = &|| Trail::below(&directory.about.trail, name.to_bytes()).whole();
        self.fixer.refused(Refusal { action: Action::Look, error }, None, path);
    }
}
