//! Files with several names: to change one is to change what the other names lead to, inside the tree or not.
//!
//! Such a file is changed once all its names have been seen inside the tree. A name that moves while the walk goes on could
//! be seen twice, or be seen and then lead out. So there is a moment at which all names that count were there together: a
//! name counts only if it is looked up after that moment, and its directory has not changed since (each link, rename,
//! exchange and unlink moves the times of the directories); and a file is complete only if it was not linked or unlinked
//! since either (that moves its own). Where times come from another clock, or a change makes a copy, no name counts.

use std::{
    collections::HashMap,
    ffi::CStr,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{fd::AsFd, io};

use crate::{
    directory::Directory,
    filesystem,
    stat::{Id, Stat, changed_before},
    trail::Trail,
};

/// Names that are remembered, some 100 bytes each at worst
const NAME_LIMIT: usize = 50_000;
/// Paths that are kept for a message
const EXAMPLE_LIMIT: usize = 10;
/// File systems stamp changes by a clock that ticks so often, at worst (`CONFIG_HZ=100`)
const TICK: Duration = Duration::from_millis(10);

/// The files with several names that a walk has met
#[derive(Debug, Default)]
pub(crate) struct HardLinks {
    /// The moment of which all is told, in nanoseconds since 1970
    moment: OnceLock<i128>,
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

/// What becomes of a file when one of its names is seen
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// It has names that were not seen, or do not count
    Incomplete,
    /// This was the last of its names
    Complete,
    /// There is no room to remember the name
    NoRoom,
}

/// Files that were left alone
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftAlone {
    pub(crate) files: u64,
    /// Paths of some of them
    pub(crate) examples: Vec<String>,
}

impl HardLinks {
    /// Fixes the moment, unless it is fixed; returns some time behind it. A name must be looked up after that.
    pub(crate) fn begin(&self) -> i128 {
        *self.moment.get_or_init(begin)
    }

    /// Notes a name of a file with several, which was pinned after the moment.
    pub(crate) fn see(&self, file: impl AsFd, stat: &Stat, directory: &Directory, name: &CStr) -> io::Result<Sighting> {
        let moment = self.begin();
        // A file that is mounted over a name has no name there.
        let counts = !stat.is_elsewhere(&directory.about.stat)
            && filesystem::keeps_links_and_times(&file)
            && changed_before(&file)? < moment
            && changed_before(directory)? < moment;
        let place = self.hasher.hash_one((directory.about.stat.id, name));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if counts && seen.names >= NAME_LIMIT {
            return Ok(Sighting::NoRoom);
        }
        if counts && seen.add(stat, place) {
            return Ok(Sighting::Complete);
        }
        seen.others += u64::from(!counts);
        if seen.examples.len() < EXAMPLE_LIMIT {
            let example = || Example { trail: directory.about.trail.clone(), name: name.to_bytes().into() };
            seen.examples.entry(stat.id).or_insert_with(example);
        }
        Ok(Sighting::Incomplete)
    }

    /// What is left when the walk is over.
    pub(crate) fn left_alone(self) -> LeftAlone {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let printed = |example: &Example| Trail::below(&example.trail, &example.name).printed();
        let mut examples: Vec<_> = seen.examples.values().map(printed).collect();
        examples.sort_unstable();
        LeftAlone { files: seen.files.len() as u64 + seen.others, examples }
    }
}

impl Seen {
    /// Adds a name that counts; true if it was the last one of its file.
    fn add(&mut self, stat: &Stat, place: u64) -> bool {
        let places = self.files.entry(stat.id).or_default();
        if let Err(at) = places.binary_search(&place) {
            places.insert(at, place);
            self.names += 1;
        }
        let is_complete = places.len() as u64 == u64::from(stat.links);
        if is_complete {
            self.names -= places.len();
            self.files.remove(&stat.id);
            self.examples.remove(&stat.id);
        }
        is_complete
    }
}

/// Waits until all changes that come are stamped with a time behind the moment that it returns.
fn begin() -> i128 {
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    thread::sleep(2 * TICK);
    i128::try_from((start + TICK).as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
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
        links.see(&file, &Stat::open(&file).unwrap(), &directory, &name).unwrap()
    }

    #[test]
    fn a_file_is_complete_with_its_last_name() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
        File::create(&one).unwrap();
        fs::hard_link(&one, &two).unwrap();
        let links = HardLinks::default();
        links.begin();
        assert_eq!(see(&links, &one), Sighting::Incomplete);
        assert_eq!(see(&links, &one), Sighting::Incomplete, "the same name again");
        assert_eq!(see(&links, &two), Sighting::Complete);
        assert_eq!(links.left_alone(), LeftAlone::default());
    }

    #[test]
    fn a_name_that_moves_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two, outside] = ["one", "two", "outside"].map(|name| directory.path().join(name));
        File::create(&one).unwrap();
        fs::hard_link(&one, &outside).unwrap();
        let links = HardLinks::default();
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
        let links = HardLinks::default();
        see(&links, &one);
        File::create(directory.path().join("three")).unwrap();
        assert_eq!(see(&links, &two), Sighting::Incomplete);
    }
}
