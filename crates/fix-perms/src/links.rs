//! Regular files with several names: to change one is to change what the other names lead to, inside the tree or not.
//!
//! Such a file is changed once all its names have been seen inside the tree. A name that moves while the walk goes on could
//! be seen twice, so a name counts by its place (directory and name), and only if the file was neither linked nor moved
//! since the counting began: every link and every rename moves its change time (the file systems of Linux do so, and POSIX
//! asks for it at link(2)).

use std::{
    collections::{HashMap, HashSet},
    ffi::CStr,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{fd::AsFd, io};

use crate::{
    stat::{Id, Stat, change_time},
    trail::Trail,
};

/// Places that are remembered, at some 200 bytes for a file's first; files beyond that are left alone
const PLACE_LIMIT: usize = 20_000;
/// Paths that are kept for a message
const EXAMPLE_LIMIT: usize = 10;
/// File systems stamp changes by a clock that ticks so often, at worst (`CONFIG_HZ=100`)
const TICK: Duration = Duration::from_millis(10);

/// The files with several names that a walk has met
#[derive(Debug, Default)]
pub(crate) struct HardLinks {
    /// When counting began, in nanoseconds since 1970
    since: OnceLock<i128>,
    seen: Mutex<Seen>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Seen {
    files: HashMap<Id, HashSet<u64>>,
    places: usize,
    /// Files that there was no room for, or that moved
    unknown: u64,
    examples: HashMap<Id, Example>,
}

#[derive(Debug)]
struct Example {
    trail: Arc<Trail>,
    name: Box<[u8]>,
}

/// Files that were left alone
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftAlone {
    pub(crate) files: u64,
    /// Paths of some of them
    pub(crate) examples: Vec<String>,
}

impl HardLinks {
    /// Notes a name of a pinned file with several; true if it was the last, so that the file may be changed.
    pub(crate) fn is_complete(
        &self,
        file: impl AsFd,
        stat: &Stat,
        (directory, trail): (Id, &Arc<Trail>),
        name: &CStr,
    ) -> io::Result<bool> {
        let since = *self.since.get_or_init(begin);
        let is_at_rest = change_time(file)? < since;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_at_rest || seen.places >= PLACE_LIMIT {
            seen.forget(stat.id);
            seen.unknown += 1;
            return Ok(false);
        }
        let places = seen.files.entry(stat.id).or_default();
        let is_new = places.insert(self.hasher.hash_one((directory, name)));
        let is_complete = places.len() as u64 == u64::from(stat.links);
        seen.places += usize::from(is_new);
        if is_complete {
            seen.forget(stat.id);
            seen.examples.remove(&stat.id);
        } else if seen.examples.len() < EXAMPLE_LIMIT {
            let example = || Example { trail: trail.clone(), name: name.to_bytes().into() };
            seen.examples.entry(stat.id).or_insert_with(example);
        }
        Ok(is_complete)
    }

    /// What is left when the walk is over.
    pub(crate) fn left_alone(self) -> LeftAlone {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let printed = |example: &Example| Trail::below(&example.trail, &example.name).printed();
        let mut examples: Vec<_> = seen.examples.values().map(printed).collect();
        examples.sort_unstable();
        LeftAlone { files: seen.files.len() as u64 + seen.unknown, examples }
    }
}

impl Seen {
    fn forget(&mut self, file: Id) {
        self.places -= self.files.remove(&file).map_or(0, |places| places.len());
    }
}

/// Waits until the clock that stamps changes has ticked; what changes from here on is told by its time.
fn begin() -> i128 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = now();
    thread::sleep(2 * TICK);
    i128::try_from((start + TICK).as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use std::{ffi::CString, fs::File, os::unix::ffi::OsStrExt, path::Path};

    use super::*;

    fn note(links: &HardLinks, path: &Path) -> bool {
        let file = File::open(path).unwrap();
        let parent = Stat::open(File::open(path.parent().unwrap()).unwrap()).unwrap();
        let trail = Trail::root(path.parent().unwrap().as_os_str().as_bytes());
        let name = CString::new(path.file_name().unwrap().as_bytes()).unwrap();
        links.is_complete(&file, &Stat::open(&file).unwrap(), (parent.id, &trail), &name).unwrap()
    }

    #[test]
    fn a_file_is_complete_with_its_last_place() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
        File::create(&one).unwrap();
        std::fs::hard_link(&one, &two).unwrap();
        let links = HardLinks::default();
        assert!(!note(&links, &one));
        assert!(!note(&links, &one), "the same place again");
        assert!(note(&links, &two));
        assert_eq!(links.left_alone(), LeftAlone::default());
    }

    #[test]
    fn a_name_that_moves_is_not_counted_twice() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two, outside] = ["one", "two", "outside"].map(|name| directory.path().join(name));
        File::create(&one).unwrap();
        std::fs::hard_link(&one, &outside).unwrap();
        let links = HardLinks::default();
        assert!(!note(&links, &one));
        std::fs::rename(&one, &two).unwrap();
        assert!(!note(&links, &two));
        let left = links.left_alone();
        assert_eq!(left.files, 1);
        assert_eq!(left.examples, [one.display().to_string()]);
    }
}
