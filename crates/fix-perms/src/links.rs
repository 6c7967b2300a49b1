//! Files with several names: to change one is to change what the other names lead to, inside the
//! tree or not.
//!
//! Such a file is changed once all its names have been seen inside the tree. A name that moves
//! while the walk goes on could be seen twice, or be seen and then lead out. So there is a moment
//! before the walk at which all names that count were there together. Names are read and looked up
//! after it; reading the names of a directory waits for a process that is about to change them; and
//! each link, rename, exchange and unlink that comes later stamps the directory with a later time.
//! So a name counts if its directory was not changed since, and a file is complete if it was not
//! linked or unlinked since either, which stamps the file. Where times come from another clock, or
//! a change makes a copy, no name counts.
//!
//! A file with one name needs the same care: its name may just have been taken away, and the one
//! that is left be outside.

use std::{
    collections::HashMap,
    ffi::CStr,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::{fd::AsFd, io};

use crate::{
    directory::Directory,
    stat::{Id, Stat, exact_clock, stamping_clock},
    trail::Trail,
};

/// Names that are remembered, some 100 bytes each at worst
const NAME_LIMIT: usize = 50_000;
/// Paths that are kept for a message
const EXAMPLE_LIMIT: usize = 10;
/// Looks at a file that is being written to, until two in a row are alike
const LOOKS: usize = 100;
/// Between two looks at the stamping clock, which ticks every 1 to 10 ms (`CONFIG_HZ`)
const POLL: Duration = Duration::from_millis(1);

/// The files with several names that a walk has met
#[derive(Debug)]
pub(crate) struct HardLinks {
    /// Only changes before it count, in nanoseconds since 1970
    moment: i128,
    seen: Mutex<Seen>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Seen {
    /// The places of the names that count, as hashes in order
    files: HashMap<Id, Vec<u64>>,
    names: usize,
    /// Names that do not count
    others: u64,
    examples: HashMap<Id, Example>,
}

#[derive(Debug)]
struct Example {
    trail: Arc<Trail>,
    name: Box<[u8]>,
}

/// The treatment of a file when one of its names is seen
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// It has, or had, names that were not seen, or do not count
    Incomplete,
    /// This was the last of its names
    Complete,
    /// There is no room to remember the name
    NoRoom,
    /// It is changed all the time, so that nothing is certain
    Restless,
}

/// Files that were left alone
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftAlone {
    pub(crate) files: u64,
    /// Paths of some of them
    pub(crate) examples: Vec<String>,
}

impl HardLinks {
    /// Fixes the moment: to be called before any name is read.
    pub(crate) fn begin() -> Self {
        let moment = moment_after(exact_clock(), stamping_clock);
        Self { moment, seen: Mutex::default(), hasher: RandomState::new() }
    }

    /// Notes a name of a pinned file. `keeps_times` tells whether the file system's times can be
    /// relied on.
    pub(crate) fn see(
        &self,
        file: impl AsFd,
        stat: &Stat,
        directory: &Directory,
        name: &CStr,
        keeps_times: bool,
    ) -> io::Result<Sighting> {
        let is_old = keeps_times && stat.changed.is_some_and(|changed| changed < self.moment);
        let sighting = match stat.links {
            0 => return Err(io::Errno::NOENT),
            1 if is_old => return Ok(Sighting::Complete),
            1 => match is_still_alone(file, stat, directory, name, keeps_times)? {
                Some(true) => return Ok(Sighting::Complete),
                Some(false) => None,
                None => return Ok(Sighting::Restless),
            },
            // A file that is mounted over a name has no name there. Older kernels do not tell
            // mounts.
            2.. if is_old && stat.mount != 0 && !stat.is_elsewhere(&directory.about.stat) => {
                let directory = Stat::open_with_time(directory)?;
                let counts = directory.changed.is_some_and(|changed| changed < self.moment);
                let place = self.hasher.hash_one((directory.id, name));
                counts.then(|| self.lock().add(stat, place))
            }
            _ => None,
        };
        let mut seen = self.lock();
        seen.others += u64::from(sighting.is_none());
        if sighting != Some(Sighting::Complete) && seen.examples.len() < EXAMPLE_LIMIT {
            let example = || Example { trail: directory.about.trail.clone(), name: name.to_bytes().into() };
            seen.examples.entry(stat.id).or_insert_with(example);
        }
        Ok(sighting.unwrap_or(Sighting::Incomplete))
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files that are left when the walk is over.
    pub(crate) fn left_alone(self) -> LeftAlone {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let printed = |example: &Example| Trail::below(&example.trail, &example.name).printed();
        let mut examples: Vec<_> = seen.examples.values().map(printed).collect();
        examples.sort_unstable();
        LeftAlone { files: seen.files.len() as u64 + seen.others, examples }
    }
}

/// Waits until `clock`, which stands still between two ticks, is later than `now`: a change before
/// now shall not look like one since. Since Linux 6.13 the kernel may stamp a change by its exact
/// clock, and a tick that comes late can still be earlier than that. A clock that is set back ends
/// the wait too.
fn moment_after(now: i128, clock: impl Fn() -> i128) -> i128 {
    let before = clock();
    let mut moment = before;
    while (before..=now).contains(&moment) {
        thread::sleep(POLL);
        moment = clock();
    }
    moment
}

/// Whether the name of a file with one, which was changed since the moment, is still its only one;
/// `None` if it is changed again and again, for example by a name that comes and goes, or by a
/// process that writes.
fn is_still_alone(
    file: impl AsFd,
    stat: &Stat,
    directory: &Directory,
    name: &CStr,
    keeps_times: bool,
) -> io::Result<Option<bool>> {
    let look = || if keeps_times { Stat::open_with_time(&file) } else { Stat::open(&file) };
    let mut before = *stat;
    for _ in 0..LOOKS {
        if keeps_times {
            directory.settle()?;
        }
        let named = Stat::at(directory, name)?;
        let now = look()?;
        if named.id != stat.id || (named.links, now.links) != (1, 1) {
            return Ok(Some(false));
        }
        if now.changed == before.changed {
            return Ok(Some(true));
        }
        before = now;
    }
    Ok(None)
}

impl Seen {
    /// Adds a name that counts.
    fn add(&mut self, stat: &Stat, place: u64) -> Sighting {
        let places = self.files.entry(stat.id).or_default();
        let Err(at) = places.binary_search(&place) else { return Sighting::Incomplete };
        let is_complete = places.len() as u64 + 1 == u64::from(stat.links);
        if is_complete {
            self.names -= places.len();
            self.files.remove(&stat.id);
            self.examples.remove(&stat.id);
            return Sighting::Complete;
        }
        if self.names >= NAME_LIMIT {
            if places.is_empty() {
                self.files.remove(&stat.id);
            }
            return Sighting::NoRoom;
        }
        places.insert(at, place);
        self.names += 1;
        Sighting::Incomplete
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        ffi::CString,
        fs::{self, File},
        os::unix::ffi::OsStrExt,
        path::Path,
    };

    use super::*;
    use crate::directory::About;

    fn see(links: &HardLinks, path: &Path) -> Sighting {
        let file = File::open(path).unwrap();
        let parent = File::open(path.parent().unwrap()).unwrap();
        let trail = Trail::root(path.parent().unwrap().as_os_str().as_bytes());
        let about = About { stat: Stat::open(&parent).unwrap(), trail, depth: 0 };
        let directory = Directory::new(parent.into(), about);
        let name = CString::new(path.file_name().unwrap().as_bytes()).unwrap();
        links.see(&file, &Stat::open_with_time(&file).unwrap(), &directory, &name, true).unwrap()
    }

    #[test]
    fn a_file_is_complete_with_its_last_name() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
        File::create(&one).unwrap();
        fs::hard_link(&one, &two).unwrap();
        let links = HardLinks::begin();
        assert_eq!(see(&links, &one), Sighting::Incomplete);
        assert_eq!(see(&links, &one), Sighting::Incomplete, "the same name again");
        assert_eq!(see(&links, &two), Sighting::Complete);
        assert_eq!(links.left_alone(), LeftAlone::default());
    }

    #[test]
    fn the_moment_is_later_than_every_stamp_so_far() {
        for (ticks, moment) in [
            (&[100, 100, 112][..], 112),
            // The tick of 104 comes late, at 109.
            (&[100, 104, 108, 112], 112),
            (&[112], 112),
            (&[100, 50], 50),
        ] {
            let left = RefCell::new(ticks.iter());
            assert_eq!(moment_after(108, || *left.borrow_mut().next().unwrap()), moment, "{ticks:?}");
        }
        let now = exact_clock();
        assert!(HardLinks::begin().moment > now);
    }

    #[test]
    fn a_name_that_moves_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two, outside] = ["one", "two", "outside"].map(|name| directory.path().join(name));
        File::create(&one).unwrap();
        fs::hard_link(&one, &outside).unwrap();
        let links = HardLinks::begin();
        assert_eq!(see(&links, &one), Sighting::Incomplete);
        fs::rename(&one, &two).unwrap();
        assert_eq!(see(&links, &two), Sighting::Incomplete);
        assert_eq!(links.left_alone().examples, [one.display().to_string()]);
    }

    #[test]
    fn a_name_in_a_directory_that_changes_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
        File::create(&one).unwrap();
        fs::hard_link(&one, &two).unwrap();
        let links = HardLinks::begin();
        see(&links, &one);
        File::create(directory.path().join("three")).unwrap();
        assert_eq!(see(&links, &two), Sighting::Incomplete);
    }
}
