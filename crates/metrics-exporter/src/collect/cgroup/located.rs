//! The directories of the own cgroup. They stay open until this process moves to another cgroup or the mounts change.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags, open},
    io,
};

use crate::collect::{
    cgroup::{
        directory::Directory,
        flaw::Flaw,
        place::{Controller, Hierarchies, Place},
        readings::Readings,
    },
    fault::CollectFault,
    kept_file::{Buffer, Extent, KeptFile},
    mount_table::MountTable,
    roots::Roots,
};

/// The controllers, by their names in version 1
const CONTROLLERS: [&str; 5] = ["cpu", "cpuacct", "memory", "blkio", "pids"];

/// The most bytes of `/proc/self/cgroup`, which has a line for each hierarchy
const MEMBERSHIP_LIMIT: usize = 64 * 1024;

/// The places of all controllers
#[derive(Debug)]
pub(super) struct Located {
    membership_path: PathBuf,
    membership_file: KeptFile,
    table: MountTable,
    sys: PathBuf,
    /// The content of `/proc/self/cgroup` when the directories were opened
    membership: Vec<u8>,
    directories: Option<Directories>,
}

/// The open directories
#[derive(Debug)]
struct Directories {
    /// In the order of `CONTROLLERS`; `None` for a controller of the unified hierarchy
    version1: [Option<Result<Opened, Flaw>>; CONTROLLERS.len()],
    unified: Result<Opened, Flaw>,
    /// True when the unified hierarchy is beside those of version 1, with this process in its root
    is_unified_of_machine: bool,
}

/// The directory of a cgroup, and the number of visible cgroups above it
type Opened = (Directory, usize);

/// The directory with the files of a controller
pub(super) enum Found<'a> {
    Version1(&'a Directory),
    /// The directory, and the number of visible cgroups above it
    Version2(&'a Directory, usize),
    Nowhere,
}

impl Located {
    pub(super) fn under(Roots { proc, sys }: &Roots) -> Self {
        Self {
            membership_path: proc.join("self/cgroup"),
            membership_file: KeptFile::default(),
            table: MountTable::below(proc),
            sys: sys.clone(),
            membership: Vec::new(),
            directories: None,
        }
    }

    /// Opens the directories again when this process or the mounts have moved, or when a directory could not be opened before.
    pub(super) fn follow(&mut self, now: Instant) -> Result<(), CollectFault> {
        let unreadable = |file| move |error: io::Errno| CollectFault::Unreadable { file, error: error.into() };
        let mut buffer = Buffer::up_to(MEMBERSHIP_LIMIT);
        let membership = self.membership_file.read(|| open_file(&self.membership_path), Extent::Whole, &mut buffer);
        let membership = membership.map_err(unreadable("proc/self/cgroup"))?;
        let is_open = self.directories.as_ref().is_some_and(Directories::are_all_open);
        if !is_open || self.membership != membership {
            self.table.forget();
        }
        let table = self.table.read_if_changed(now).map_err(unreadable("proc/self/mountinfo"))?;
        if let Some(table) = table {
            let [cgroup, mountinfo] = [membership, &table].map(String::from_utf8_lossy);
            self.directories = Some(Directories::open(&Hierarchies::parse(&cgroup, &mountinfo, &self.sys)));
            self.membership = membership.to_vec();
        }
        Ok(())
    }

    /// Finds the directory of a controller, and notes why there is none.
    pub(super) fn find(&self, name: &'static str, readings: &mut Readings) -> Found<'_> {
        let index = CONTROLLERS.iter().position(|controller| *controller == name);
        let (Some(index), Some(directories)) = (index, &self.directories) else { return Found::Nowhere };
        let (place, is_version1) = match &directories.version1[index] {
            Some(place) => (place, true),
            None => (&directories.unified, false),
        };
        match place {
            Ok((directory, _)) if is_version1 => Found::Version1(directory),
            Ok((directory, above)) => Found::Version2(directory, *above),
            Err(flaw) => {
                readings.note(name, *flaw);
                Found::Nowhere
            }
        }
    }

    /// The directory with the pressure of the own cgroup.
    pub(super) fn own_pressure(&self) -> Result<&Directory, Flaw> {
        let Some(directories) = &self.directories else { return Err(Flaw::NOT_FOUND) };
        match &directories.unified {
            Ok(_) if directories.is_unified_of_machine => Err(Flaw::OF_MACHINE),
            Ok((directory, _)) => Ok(directory),
            Err(flaw) => Err(*flaw),
        }
    }
}

impl Directories {
    fn open(hierarchies: &Hierarchies) -> Self {
        let opened = |place: Result<Place, &'static str>| place.map_err(Flaw).and_then(|place| open_place(&place));
        let unified = opened(hierarchies.unified());
        let version1 = CONTROLLERS.map(|name| match hierarchies.controller(name) {
            Controller::Version1(place) => Some(opened(place)),
            Controller::Unified => None,
        });
        // In a hybrid system the container may have no cgroup of version 2 and be in its root, whose pressure is the machine's.
        let is_root = unified.as_ref().is_ok_and(|(directory, _)| !directory.has("cgroup.type"));
        Self { version1, unified, is_unified_of_machine: is_root && hierarchies.have_version1() }
    }

    /// False when a controller's directory could not be opened, so that the next scrape may find more.
    fn are_all_open(&self) -> bool {
        let unified = self.version1.iter().any(Option::is_none).then_some(&self.unified);
        self.version1.iter().flatten().chain(unified).all(Result::is_ok)
    }
}

/// Opens the own cgroup. When its path does not exist under the mount, the path is the host's and the mount's root is the
/// container's cgroup.
fn open_place(place: &Place) -> Result<Opened, Flaw> {
    match Directory::open(&place.own) {
        Ok(directory) => Ok((directory, place.above)),
        Err(io::Errno::NOENT) => Ok((Directory::open(&place.mount)?, 0)),
        Err(error) => Err(error.into()),
    }
}

fn open_file(path: &Path) -> io::Result<OwnedFd> {
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}
