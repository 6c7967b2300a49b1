//! One look at a process: a few small files, all read through its open directory, so that they belong to one process even when its
//! number is reused in between.
//!
//! The directory and the files stay open for the next scrape, because opening them costs more than reading them. When the process
//! has ended, reading them fails, even when a new process has its number.

use std::{collections::HashMap, io, mem};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, Dir, Mode, OFlags, openat, statat},
    io::{Errno, pread, read},
    process::{Resource, getrlimit},
};

use crate::collect::{
    collected::Collected,
    processes::{
        own_namespace,
        parse::{Stat, State, descriptor_limit, disk_bytes, swapped_bytes},
    },
};

/// The bytes that are read of a process' file. The longest is `status` with a long list of groups; its fields on memory stand in
/// the first 2 KiB.
const FILE_LIMIT: usize = 8 * 1024;

/// The most processes whose files stay open. A pod has fewer; the kernel uses some 10 KiB of memory for each.
const OPEN_LIMIT: u64 = 128;
/// Keep one process open for each 16 descriptors that the exporter may have. It takes three of them, so that most are left.
const DESCRIPTORS_PER_PROCESS: u64 = 16;

/// Descriptors for connections and for the kept files of the other collectors
const OTHER_DESCRIPTORS: u64 = 64;

/// The values of a process. `None` where the exporter may not read a file or cannot parse it; a zombie has only a `stat`.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) id: u32,
    pub(super) stat: Stat,
    pub(super) swapped_bytes: Option<u64>,
    /// Bytes read and bytes written
    pub(super) disk_bytes: Option<(u64, u64)>,
    pub(super) descriptors: Option<u64>,
    /// The soft limit; `u64::MAX` is unlimited
    pub(super) descriptor_limit: Option<u64>,
}

/// The reason why a process, or one of its files, has no values
#[derive(Debug)]
pub(super) enum Failure {
    /// The process has ended, maybe after it was listed.
    Ended,
    Unreadable(io::Error),
    Malformed,
}

/// The reader of processes' files, with its buffer and the files that stay open
#[derive(Debug)]
pub(super) struct Files {
    buffer: Vec<u8>,
    kernel: Kernel,
    /// Processes of the last round that this round has not looked at yet
    earlier: HashMap<u32, OpenProcess>,
    /// Processes of this round
    open: HashMap<u32, OpenProcess>,
    open_limit: u64,
}

/// The open directory of a process, and the files that every scrape reads
#[derive(Debug)]
struct OpenProcess {
    folder: OwnedFd,
    stat: OwnedFd,
    /// `None` until it has been read
    io: Option<OwnedFd>,
}

/// Abilities of the kernel that save reading some files
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kernel {
    /// True for the kernel's procfs: open files stay fresh, and the size of a directory `fd` may be the number of its entries
    pub(super) is_procfs: bool,
    /// True when the kernel knows the processes by these numbers
    pub(super) knows_numbers: bool,
    pub(super) has_swap: bool,
}

impl Files {
    pub(super) fn new() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self {
            buffer: vec![0; FILE_LIMIT],
            kernel: Kernel::default(),
            earlier: HashMap::new(),
            open: HashMap::new(),
            open_limit: OPEN_LIMIT.min(descriptors.saturating_sub(OTHER_DESCRIPTORS) / DESCRIPTORS_PER_PROCESS),
        }
    }

    pub(super) fn begin_round(&mut self, kernel: Kernel) {
        self.kernel = kernel;
        self.earlier = mem::take(&mut self.open);
    }

    /// Closes the files of processes that have ended.
    pub(super) fn end_round(&mut self) {
        self.earlier.clear();
    }

    /// Reads the values of a process, and notes unreadable files.
    pub(super) fn look(&mut self, proc: &OwnedFd, id: u32, collected: &mut Collected) -> Result<Look, Failure> {
        let (mut process, stat) = self.open_process(proc, id)?;
        let look = self.look_at(&mut process, id, stat, collected)?;
        if self.kernel.is_procfs && (self.open.len() as u64) < self.open_limit {
            self.open.insert(id, process);
        }
        Ok(look)
    }

    /// Opens a process unless it is still open. When reading an open one fails, a new process may have its number.
    fn open_process(&mut self, proc: &OwnedFd, id: u32) -> Result<(OpenProcess, Stat), Failure> {
        if let Some(process) = self.earlier.remove(&id)
            && let Ok(stat) = self.stat(&process)
        {
            return Ok((process, stat));
        }
        let process = OpenProcess::open(proc, id)?;
        let stat = self.stat(&process)?;
        Ok((process, stat))
    }

    fn look_at(
        &mut self,
        process: &mut OpenProcess,
        id: u32,
        stat: Stat,
        collected: &mut Collected,
    ) -> Result<Look, Failure> {
        let mut look =
            Look { id, stat, swapped_bytes: None, disk_bytes: None, descriptors: None, descriptor_limit: None };
        if look.stat.is_kernel_thread || look.stat.state == State::Zombie {
            return Ok(look);
        }
        let io = noted(self.read_io(process), "proc/PID/io", collected)?;
        look.disk_bytes = disk_bytes(io.unwrap_or_default());
        let folder = process.folder.as_fd();
        look.swapped_bytes = if self.kernel.has_swap {
            swapped_bytes(self.read_or_note(folder, "status", "proc/PID/status", collected)?)
        } else {
            Some(0)
        };
        let known_limit = if self.kernel.knows_numbers { own_namespace::descriptor_limit(id) } else { None };
        look.descriptor_limit = match known_limit {
            Some(limit) => Some(limit),
            None => descriptor_limit(self.read_or_note(folder, "limits", "proc/PID/limits", collected)?),
        };
        // Last, because it fails when the process has ended. Success shows that the number belonged to it all the time.
        look.descriptors = noted(self.count_descriptors(folder), "proc/PID/fd", collected)?;
        Ok(look)
    }

    /// The first bytes of the command line; empty when it is unreadable.
    pub(super) fn command_line(&mut self, proc: &OwnedFd, id: u32) -> Vec<u8> {
        let folder = open_folder(proc.as_fd(), id);
        folder.and_then(|folder| Ok(self.read(folder.as_fd(), "cmdline")?.to_vec())).unwrap_or_default()
    }

    fn stat(&mut self, process: &OpenProcess) -> Result<Stat, Failure> {
        let length = pread(&process.stat, &mut self.buffer, 0)?;
        Stat::parse(&self.buffer[..length]).ok_or(Failure::Malformed)
    }

    fn read_io(&mut self, process: &mut OpenProcess) -> Result<&[u8], Failure> {
        let file = match process.io.take() {
            Some(file) => file,
            None => open_file(process.folder.as_fd(), "io")?,
        };
        let length = pread(&file, &mut self.buffer, 0)?;
        process.io = Some(file);
        Ok(&self.buffer[..length])
    }

    /// Reads a file; the text is empty, with a note, when the file is unreadable.
    fn read_or_note(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &str,
        file: &'static str,
        collected: &mut Collected,
    ) -> Result<&[u8], Failure> {
        Ok(noted(self.read(folder, name), file, collected)?.unwrap_or_default())
    }

    /// Reads a file with one call, because procfs returns the whole of such a file if it fits into the buffer.
    fn read(&mut self, folder: BorrowedFd<'_>, name: &str) -> Result<&[u8], Failure> {
        let file = open_file(folder, name)?;
        let length = read(&file, &mut self.buffer)?;
        Ok(&self.buffer[..length])
    }

    /// The number of open descriptors. Since Linux 6.2 one call returns it, also for another user's process.
    fn count_descriptors(&self, folder: BorrowedFd<'_>) -> Result<u64, Failure> {
        if self.kernel.is_procfs {
            let size = statat(folder, "fd", AtFlags::empty())?.st_size;
            if size > 0 {
                return Ok(size.unsigned_abs());
            }
        }
        let listing = openat(folder, "fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut count: u64 = 0;
        for entry in Dir::new(listing)? {
            count += u64::from(!matches!(entry?.file_name().to_bytes(), b"." | b".."));
        }
        Ok(count)
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::SRCH => Self::Ended,
            _ => Self::Unreadable(error.into()),
        }
    }
}

impl OpenProcess {
    fn open(proc: &OwnedFd, id: u32) -> Result<Self, Failure> {
        let folder = open_folder(proc.as_fd(), id)?;
        let stat = open_file(folder.as_fd(), "stat")?;
        Ok(Self { folder, stat, io: None })
    }
}

fn open_file(folder: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Failure> {
    Ok(openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

fn open_folder(proc: BorrowedFd<'_>, id: u32) -> Result<OwnedFd, Failure> {
    let name = itoa::Buffer::new().format(id).to_owned();
    Ok(openat(proc, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Turns an unreadable file into `None` and a note; the end of the process stays an error.
fn noted<T>(result: Result<T, Failure>, file: &'static str, collected: &mut Collected) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Unreadable(error)) => {
            collected.cannot_read(file, &error);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}
