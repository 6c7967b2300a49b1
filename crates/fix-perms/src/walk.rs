//! The walk over a tree, by as many threads as there are.
//!
//! Each thread walks its own part, depth first, and gives half of the rest to a thread that has
//! nothing: directories, and the names of a directory that is huge. Only single names are looked
//! up, in open directories. A directory is set right by the thread that leaves it last, so that no
//! other thread is locked out below it.

use std::{
    ffi::CStr,
    mem::MaybeUninit,
    ops::RangeInclusive,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use lifecycle::Exit;
use rustix::io::Errno;

mod frame;
mod names;
mod queue;
mod way;

use self::{
    frame::{Frame, Place},
    names::Names,
    queue::Queue,
    way::{Lost, Way},
};
use crate::{
    capabilities::Action,
    directory::Directory,
    exclude::Excludes,
    fixer::Fixer,
    ledger::{Ledger, Text},
    links::HardLinks,
    refusal::Refusal,
    stat::Kind,
    visitor::Visitor,
};

/// Bytes of names that one reading of a directory may give: about 1,000
const READ_SIZE: usize = 32 * 1024;
/// The same, once a thread holds `PENDING_LIMIT`: room for a few names of 255 bytes
const SMALL_READ_SIZE: usize = 1024;
/// Bytes of names of directories that a thread holds before it reads less at a time: deep trees
/// that are wide too
const PENDING_LIMIT: usize = 512 * 1024;
/// Names of one reading that are worth giving to another thread
const WORTH_SHARING: usize = 256;
/// Descriptors that are left to everything but the walk
const OTHER_DESCRIPTORS: usize = 64;
/// Descriptors below which a thread is one too many
const DESCRIPTORS_OF_THREAD: usize = 16;
/// Directories that a thread keeps open; those above are closed and found again
const OPEN_LIMITS: RangeInclusive<usize> = 4..=256;

/// A walk over one tree, shared by its threads
pub(crate) struct Walk<'a> {
    pub(crate) fixer: Fixer<'a>,
    pub(crate) excludes: Excludes,
    /// Directories this deep are not looked into
    pub(crate) max_depth: usize,
    /// Files with several names are left alone until all of them were seen here
    pub(crate) links: Option<HardLinks>,
    pub(crate) threads: usize,
}

/// One thread of a walk
struct Worker<'a> {
    walk: &'a Walk<'a>,
    queue: &'a Queue<'a, Frame>,
    way: Way,
    buffer: Vec<MaybeUninit<u8>>,
    /// The name that was taken last, with its NUL
    name: Vec<u8>,
    /// Bytes that the names on the way take
    pending: usize,
    visitor: Visitor<'a>,
}

impl Walk<'_> {
    /// Walks everything below `root`, which itself is left as it is, until all is done or `stopped`
    /// is set.
    pub(crate) fn run(&self, root: &Arc<Directory>, stopped: &AtomicBool) {
        if self.max_depth == 0 {
            return;
        }
        let descriptors = lifecycle::descriptor_limit().saturating_sub(OTHER_DESCRIPTORS);
        let threads = self.threads.min(descriptors / DESCRIPTORS_OF_THREAD).max(1);
        // Half, since pieces that were given away keep their directories open too.
        let open_limit = (descriptors / threads / 2).clamp(*OPEN_LIMITS.start(), *OPEN_LIMITS.end());
        let queue = Queue::new(Frame::new(root.clone(), true), stopped);
        let work = || Worker::new(self, &queue, open_limit).run();
        thread::scope(|scope| {
            for _ in 1..threads {
                queue.add_worker();
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, work) {
                    queue.remove_worker();
                    tracing::warn!(%error, "cannot start a thread; those that there are go on");
                    break;
                }
            }
            work();
        });
    }
}

impl<'a> Worker<'a> {
    fn new(walk: &'a Walk<'a>, queue: &'a Queue<'a, Frame>, open_limit: usize) -> Self {
        let buffer = vec![MaybeUninit::uninit(); READ_SIZE];
        Self {
            walk,
            queue,
            way: Way::new(open_limit),
            buffer,
            name: Vec::new(),
            pending: 0,
            visitor: Visitor::new(&walk.fixer, walk.links.as_ref()),
        }
    }

    fn run(mut self) {
        let _guard = StopOnPanic(self.queue);
        while let Some(frame) = self.queue.take() {
            self.way.push(frame);
            while !self.way.is_empty() && !self.queue.is_stopped() {
                self.step();
            }
            self.way.clear();
            self.pending = 0;
            self.visitor.tell_seen();
        }
    }

    /// The next directory, name or reading of the deepest frame; or the way back.
    fn step(&mut self) {
        self.share();
        let Some(Frame { place: Place::Open(directory), directories, others, more, .. }) = self.way.deepest() else {
            return self.leave();
        };
        if directories.pop(&mut self.name) {
            let directory = directory.clone();
            self.enter(&directory);
        } else if others.pop(&mut self.name) {
            let directory = directory.clone();
            let name = std::mem::take(&mut self.name);
            if let Ok(name) = CStr::from_bytes_with_nul(&name)
                && self.visitor.look(&directory, name)
            {
                self.enter_name(&directory, name);
            }
            self.name = name;
        } else if *more {
            let directory = directory.clone();
            self.read(&directory);
        } else {
            self.leave();
        }
    }

    /// Gives half of the uppermost directories that have not been begun, if another thread may soon
    /// have nothing to do.
    fn share(&mut self) {
        if self.queue.is_hungry()
            && let Some(half) = self.way.split()
        {
            self.queue.give(half);
        }
    }

    /// Reads some names. Entries other than directories are looked at right away; many of them are
    /// given to another thread.
    fn read(&mut self, directory: &Arc<Directory>) {
        let walk = self.walk;
        let size = if self.pending > PENDING_LIMIT { SMALL_READ_SIZE } else { READ_SIZE };
        let (about, share) = (&directory.about, self.queue.is_hungry());
        let (mut directories, mut others) = (Names::default(), Names::default());
        let mut buffer = std::mem::take(&mut self.buffer);
        let more = directory.read(&mut buffer[..size], |name, kind| {
            if walk.excludes.contain(&about.trail, about.depth, name.to_bytes()) || self.queue.is_stopped() {
                return;
            }
            if kind == Some(Kind::Directory) {
                directories.push(name);
            } else if share {
                others.push(name);
            } else if self.visitor.look(directory, name) {
                directories.push(name);
            }
        });
        self.buffer = buffer;
        self.visitor.tell_seen();
        if others.len() >= WORTH_SHARING {
            self.queue.give(Frame { others, ..Frame::new(directory.clone(), false) });
            others = Names::default();
        }
        let more = more.unwrap_or_else(|error| {
            let path: Text = &|| about.trail.whole();
            // Below the root, another process has removed the directory.
            let error = if error == Errno::NOENT && about.depth == 0 { Errno::STALE } else { error };
            walk.fixer.refused(Refusal { action: Action::Look, error }, Some(&about.stat), path);
            false
        });
        if let Some(frame) = self.way.deepest() {
            self.pending -= frame.size;
            frame.size = directories.size() + others.size();
            self.pending += frame.size;
            (frame.directories, frame.others, frame.more) = (directories, others, more);
        }
    }

    /// Goes down into the directory that has the name which was taken last.
    fn enter(&mut self, parent: &Arc<Directory>) {
        let name = std::mem::take(&mut self.name);
        if let Ok(name) = CStr::from_bytes_with_nul(&name) {
            self.enter_name(parent, name);
        }
        self.name = name;
    }

    fn enter_name(&mut self, parent: &Directory, name: &CStr) {
        match parent.enter(name) {
            Ok(directory) => self.arrive(directory),
            // It was a directory when its name was read.
            Err(Errno::NOTDIR | Errno::LOOP) => {
                if self.visitor.look(parent, name) {
                    // Another process keeps swapping it for something else and back.
                    Ledger::count(&self.walk.fixer.ledger.vanished);
                }
            }
            Err(Errno::ACCESS) => match self.visitor.force(parent, name) {
                Ok(directory) => directory.into_iter().for_each(|directory| self.arrive(directory)),
                Err((error, stat)) => self.visitor.refused(error, stat.as_ref(), parent, name),
            },
            Err(error) => self.visitor.refused(error, None, parent, name),
        }
    }

    fn arrive(&mut self, directory: Directory) {
        let about = &directory.about;
        if self.walk.fixer.mounts.leave_out(&directory, &about.stat, &|| about.trail.whole()) {
            return;
        }
        self.visitor.count();
        let more = directory.about.depth < self.walk.max_depth;
        self.way.push(Frame::new(directory.into(), more));
    }

    /// Goes back up; the last one to leave a directory sets it right.
    fn leave(&mut self) {
        let (left, lost) = self.way.pop();
        if let Some(Lost { trail, cause, reason }) = lost {
            self.walk.fixer.ledger.fail(Exit::Failed, &|| trail.whole(), cause, &|| reason.clone());
        }
        let Some(Frame { place, size, .. }) = left else { return };
        self.pending -= size;
        if let Place::Open(directory) = place
            && let Some(directory) = Arc::into_inner(directory)
        {
            self.walk.fixer.set_directory(&directory);
        }
    }
}

/// Lets no thread wait for one that has panicked.
struct StopOnPanic<'a>(&'a Queue<'a, Frame>);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}
