//! One name in an open directory: the look at it, and the change.

use std::{
    cell::Cell,
    ffi::CStr,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use lifecycle::Exit;
use rustix::{fd::AsFd, io::Errno};

use crate::{
    capabilities::Action,
    directory::Directory,
    filesystem,
    fixer::{Fixer, Treatment},
    ledger::{Cause, Text},
    links::{HardLinks, Sighting},
    refusal::Refusal,
    stat::Stat,
    trail::Trail,
};

/// A thread adds its entries to the ledger's after this number of them, if this time has passed
/// since it last did.
const TELL_EVERY: u64 = 8;
const TELL_AFTER: Duration = Duration::from_secs(1);

/// One thread's visits to names
pub(crate) struct Visitor<'a> {
    fixer: &'a Fixer<'a>,
    /// Where files with several names are left alone until all of them were seen
    links: Option<&'a HardLinks>,
    /// Entries that the ledger does not know of yet
    seen: Cell<u64>,
    /// When entries were last added to the ledger's
    told: Cell<Instant>,
    /// Whether the entry that was looked at last was wrong
    expects_wrong: Cell<bool>,
    /// A device, and whether its times can be relied on
    times: Cell<Option<((u32, u32), bool)>>,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(fixer: &'a Fixer<'a>, links: Option<&'a HardLinks>) -> Self {
        Self {
            fixer,
            links,
            seen: Cell::new(0),
            told: Cell::new(Instant::now()),
            expects_wrong: Cell::new(false),
            times: Cell::new(None),
        }
    }

    /// Notes that an entry was seen.
    pub(crate) fn count(&self) {
        let seen = self.seen.get() + 1;
        self.seen.set(seen);
        // A volume can take a second for each look.
        if seen.is_multiple_of(TELL_EVERY) && self.told.get().elapsed() >= TELL_AFTER {
            self.tell_seen();
        }
    }

    /// Looks at a name that is no directory, and sets it right; true if it is one after all.
    pub(crate) fn look(&self, directory: &Directory, name: &CStr) -> bool {
        // Where the last entry was wrong the next one most likely is too: the look at what is
        // pinned is enough then.
        if !self.expects_wrong.get() {
            match Stat::at(directory, name) {
                Ok(stat) if stat.is_directory() => return true,
                Ok(stat) if !self.fixer.wants_labels() && self.fixer.wanted.change(&stat).is_nothing() => {
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
            let stat = Stat::at(directory, name).ok().map(|stat| stat.in_directory(&directory.about.stat));
            self.refused(error, stat.as_ref(), directory, name);
            false
        })
    }

    /// Pins a name and sets what is found there right; true if that is a directory.
    fn set(&self, directory: &Directory, name: &CStr) -> Result<bool, Errno> {
        let pinned = directory.pin(name)?;
        let keeps_times = self.links.is_some() && self.keeps_times(directory);
        let stat = if keeps_times { Stat::open_with_time(&pinned)? } else { Stat::open(&pinned)? };
        let stat = stat.in_directory(&directory.about.stat);
        if stat.is_directory() {
            return Ok(true);
        }
        let path: Text = &|| Trail::below(&directory.about.trail, name.to_bytes()).whole();
        if self.fixer.mounts.leave_out(&pinned, &stat, path) {
            return Ok(false);
        }
        self.count();
        let change = self.fixer.needed(&pinned, &stat);
        self.expects_wrong.set(!change.is_nothing());
        if change.is_nothing() {
            return Ok(false);
        }
        if let Some(links) = self.links {
            match links.see(&pinned, &stat, directory, name, keeps_times)? {
                Sighting::Complete => {}
                Sighting::Incomplete => return Ok(false),
                Sighting::NoRoom => {
                    let reason = "too many files with several names to remember at once: run again if any were changed, \
                                  or give --hard-links allow";
                    self.fixer.ledger.fail(Exit::Failed, path, Cause::TooManyNames, &|| reason.into());
                    return Ok(false);
                }
                Sighting::Restless => {
                    let reason = "it is changed all the time: run again when it is at rest, or give --hard-links allow";
                    self.fixer.ledger.fail(Exit::Failed, path, Cause::Restless, &|| reason.into());
                    return Ok(false);
                }
            }
        }
        self.fixer.change(pinned.as_fd(), &stat, change, path);
        Ok(false)
    }

    /// Whether the times of what is in a directory can be relied on; asked once for each device in
    /// a row.
    fn keeps_times(&self, directory: &Directory) -> bool {
        let device = directory.about.stat.id.device;
        match self.times.get() {
            Some((known, keeps_times)) if known == device => keeps_times,
            _ => {
                let keeps_times = filesystem::keeps_links_and_times(directory);
                self.times.set(Some((device, keeps_times)));
                keeps_times
            }
        }
    }

    /// Not for each entry: threads would fight over the counter.
    pub(crate) fn tell_seen(&self) {
        self.fixer.ledger.seen.fetch_add(self.seen.take(), Relaxed);
        self.told.set(Instant::now());
    }

    /// A name that could not be looked at.
    pub(crate) fn refused(&self, error: Errno, stat: Option<&Stat>, directory: &Directory, name: &CStr) {
        let path: Text = &|| Trail::below(&directory.about.trail, name.to_bytes()).whole();
        self.fixer.refused(Refusal { action: Action::Look, error }, stat, path);
    }

    /// Opens a directory that is closed to this process: it is set right first, if that opens it.
    /// `None` if it is left out.
    pub(crate) fn force(&self, parent: &Directory, name: &CStr) -> Result<Option<Directory>, (Errno, Option<Stat>)> {
        let pinned = parent.pin(name).map_err(|error| (error, None))?;
        let stat = Stat::open(&pinned).map_err(|error| (error, None))?;
        let path: Text = &|| Trail::below(&parent.about.trail, name.to_bytes()).whole();
        if self.fixer.mounts.leave_out(&pinned, &stat, path) {
            return Ok(None);
        }
        if self.fixer.treatment == Treatment::Apply && stat.is_directory() {
            self.fixer.set(pinned.as_fd(), &stat, path);
        }
        parent.enter_pinned(&pinned, name).map(Some).map_err(|error| (error, Some(stat)))
    }
}
