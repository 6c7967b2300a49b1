//! One name in an open directory: the look at it, and the change.

use std::{cell::Cell, ffi::CStr, sync::atomic::Ordering::Relaxed};

use rustix::io::Errno;

use crate::{
    capabilities::Action,
    directory::Directory,
    fixer::{Fixer, Refusal, Treatment},
    links::HardLinks,
    stat::{Kind, Stat},
    trail::Trail,
};

/// One thread's visits to names
pub(crate) struct Visitor<'a> {
    fixer: &'a Fixer<'a>,
    /// Where files with several names are left alone until all of them were seen
    links: Option<&'a HardLinks>,
    /// Entries that the ledger does not know of yet
    seen: Cell<u64>,
    /// Whether the entry that was looked at last was wrong
    expects_wrong: Cell<bool>,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(fixer: &'a Fixer<'a>, links: Option<&'a HardLinks>) -> Self {
        Self { fixer, links, seen: Cell::new(0), expects_wrong: Cell::new(false) }
    }

    /// Notes that an entry was seen.
    pub(crate) fn count(&self) {
        self.seen.set(self.seen.get() + 1);
    }

    /// Looks at a name that is no directory, and sets it right; true if it is one after all.
    pub(crate) fn look(&self, directory: &Directory, name: &CStr) -> bool {
        // Where the last entry was wrong the next one most likely is too: the look at what is pinned is enough then.
        if !self.expects_wrong.get() {
            match Stat::at(directory, name) {
                Ok(stat) if stat.is_directory() => return true,
                Ok(stat) if self.fixer.wanted.change(&stat).is_nothing() => {
                    self.count();
                    return false;
                }
                Ok(_) => {}
                Err(error) => {
                    self.refused(error, None, directory, name);
                    return false;
                }
            }
        }
        self.set(directory, name).unwrap_or_else(|error| {
            self.refused(error, Stat::at(directory, name).ok().as_ref(), directory, name);
            false
        })
    }

    /// Pins a name and sets what is found there right; true if that is a directory.
    fn set(&self, directory: &Directory, name: &CStr) -> Result<bool, Errno> {
        let pinned = directory.pin(name)?;
        let stat = Stat::open(&pinned)?;
        if stat.is_directory() {
            return Ok(true);
        }
        self.count();
        let change = self.fixer.wanted.change(&stat);
        self.expects_wrong.set(!change.is_nothing());
        if change.is_nothing() {
            return Ok(false);
        }
        if let Some(links) = self.links.filter(|_| stat.kind == Kind::Regular && stat.links > 1)
            && !links.is_complete(&pinned, &stat, (directory.about.stat.id, &directory.about.trail), name)?
        {
            return Ok(false);
        }
        let path = || Trail::below(&directory.about.trail, name.to_bytes()).printed();
        self.fixer.change(&pinned, &stat, change, path);
        Ok(false)
    }

    /// Not for each entry: threads would fight over the counter.
    pub(crate) fn tell_seen(&self) {
        self.fixer.ledger.seen.fetch_add(self.seen.take(), Relaxed);
    }

    /// A name that could not be looked at.
    pub(crate) fn refused(&self, error: Errno, stat: Option<&Stat>, directory: &Directory, name: &CStr) {
        let path = || Trail::below(&directory.about.trail, name.to_bytes()).printed();
        self.fixer.refused(Refusal { action: Action::Look, error }, stat, path);
    }

    /// Opens a directory that is closed to this process: it is set right first, if that opens it.
    pub(crate) fn force(&self, parent: &Directory, name: &CStr) -> Result<Directory, (Errno, Option<Stat>)> {
        let pinned = parent.pin(name).map_err(|error| (error, None))?;
        let stat = Stat::open(&pinned).map_err(|error| (error, None))?;
        if self.fixer.treatment == Treatment::Apply && stat.is_directory() {
            self.fixer.set(&pinned, &stat, || Trail::below(&parent.about.trail, name.to_bytes()).printed());
        }
        parent.enter_pinned(&pinned, name).map_err(|error| (error, Some(stat)))
    }
}
