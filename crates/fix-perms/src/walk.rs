//! The walk over a tree, by as many threads as there are.
//!
//! Each thread goes depth first on a stack of its own and gives half of what it has not yet begun to whoever has nothing:
//! directories, and the names of a directory that is huge. Only single names are looked up, in open directories. A
//! directory is set right by whoever leaves it last, so that nobody is locked out of what is below it.

use std::{
    cell::Cell,
    ffi::CStr,
    mem::MaybeUninit,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use lifecycle::Exit;
use rustix::{
    io::Errno,
    process::{Resource, getrlimit},
};

use crate::{
    capabilities::{Action, words},
    directory::{Closed, Directory},
    exclude::Excludes,
    fixer::{Fixer, Refusal, Treatment},
    ledger::Ledger,
    links::HardLinks,
    names::Names,
    queue::Queue,
    stat::{Kind, Stat},
    trail::Trail,
};

/// Bytes of names that one reading of a directory may give: about 1,000
const READ_SIZE: usize = 32 * 1024;
/// The same, once a thread holds `PENDING_LIMIT`: room for a few names of 255 bytes
const SMALL_READ_SIZE: usize = 1024;
/// Bytes of names of directories that a thread holds before it reads less at a time: deep trees that are wide too
const PENDING_LIMIT: usize = 512 * 1024;
/// Names of one reading that are worth giving to another thread
const WORTH_SHARING: usize = 256;
/// Descriptors that are left to everything but the walk
const OTHER_DESCRIPTORS: usize = 64;
/// Directories that a thread keeps open at most, and at least; those above are closed and found again by `..`
const OPEN_LIMITS: (usize, usize) = (4, 256);

/// A walk over one tree, shared by its threads
pub(crate) struct Walk<'a> {
    pub(crate) fixer: Fixer<'a>,
    pub(crate) excludes: Excludes,
    /// Directories this deep are not looked into
    pub(crate) max_depth: usize,
    pub(crate) one_file_system: bool,
    /// Files with several names are left alone until all of them were seen here
    pub(crate) links: Option<HardLinks>,
    pub(crate) threads: usize,
}

/// A directory on a thread's way, with what of it is still to be looked at
#[derive(Debug)]
pub(crate) struct Frame {
    place: Place,
    directories: Names,
    others: Names,
    /// Whether there may be more to read
    more: bool,
    /// Bytes that `directories` counts as
    size: usize,
}

#[derive(Debug)]
enum Place {
    Open(Arc<Directory>),
    Closed(Closed),
    /// There is no way back into it: it was moved meanwhile
    Lost,
}

/// One thread of a walk
struct Worker<'a> {
    walk: &'a Walk<'a>,
    queue: &'a Queue<'a, Frame>,
    root: &'a Directory,
    stack: Vec<Frame>,
    buffer: Vec<MaybeUninit<u8>>,
    /// The name that was taken last, with its NUL
    name: Vec<u8>,
    /// Bytes that the stack's names take
    pending: usize,
    open_limit: usize,
    /// Entries that the ledger does not know of yet
    seen: Cell<u64>,
    /// Whether the entry that was looked at last was wrong
    expects_wrong: Cell<bool>,
}

impl Walk<'_> {
    /// Walks everything below `root`, which itself is left as it is, until all is done or `stopped` is set.
    pub(crate) fn run(&self, root: &Arc<Directory>, stopped: &AtomicBool) {
        if self.max_depth == 0 {
            return;
        }
        let queue = Queue::new(self.threads, Frame::new(root.clone(), true), stopped);
        thread::scope(|scope| {
            for _ in 1..self.threads {
                scope.spawn(|| Worker::new(self, &queue, root).run());
            }
            Worker::new(self, &queue, root).run();
        });
    }

    fn open_limit(&self) -> usize {
        let all =
            getrlimit(Resource::Nofile).current.map_or(usize::MAX, |all| usize::try_from(all).unwrap_or(usize::MAX));
        // Half, since pieces that were given away keep their directories open too.
        let share = all.saturating_sub(OTHER_DESCRIPTORS) / self.threads / 2;
        share.clamp(OPEN_LIMITS.0, OPEN_LIMITS.1)
    }
}

impl Frame {
    fn new(directory: Arc<Directory>, more: bool) -> Self {
        Self { place: Place::Open(directory), directories: Names::default(), others: Names::default(), more, size: 0 }
    }
}

impl<'a> Worker<'a> {
    fn new(walk: &'a Walk<'a>, queue: &'a Queue<'a, Frame>, root: &'a Directory) -> Self {
        let (stack, name) = (Vec::new(), Vec::new());
        let buffer = vec![MaybeUninit::uninit(); READ_SIZE];
        Self {
            walk,
            queue,
            root,
            stack,
            buffer,
            name,
            pending: 0,
            open_limit: walk.open_limit(),
            seen: Cell::new(0),
            expects_wrong: Cell::new(false),
        }
    }

    fn run(mut self) {
        let _guard = StopOnPanic(self.queue);
        while let Some(frame) = self.queue.take() {
            self.stack.push(frame);
            while !self.stack.is_empty() && !self.queue.is_stopped() {
                self.step();
            }
            self.stack.clear();
            self.pending = 0;
            self.tell_seen();
        }
    }

    /// The next directory, name or reading of the deepest frame; or the way back.
    fn step(&mut self) {
        self.share();
        let Some(Frame { place: Place::Open(directory), directories, others, more, .. }) = self.stack.last_mut() else {
            return self.leave();
        };
        if directories.pop(&mut self.name) {
            let directory = directory.clone();
            self.enter(&directory);
        } else if others.pop(&mut self.name) {
            let directory = directory.clone();
            let name = std::mem::take(&mut self.name);
            if let Ok(name) = CStr::from_bytes_with_nul(&name)
                && self.look(&directory, name)
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

    /// Gives half of the uppermost directories that have not been begun, if somebody may soon have nothing to do.
    fn share(&mut self) {
        if !self.queue.is_hungry() {
            return;
        }
        let deepest = self.stack.len().saturating_sub(1);
        for (at, frame) in self.stack.iter_mut().enumerate() {
            let Place::Open(directory) = &frame.place else { continue };
            // The last one of the deepest frame is what this thread itself does next.
            if frame.directories.len() > usize::from(at == deepest) {
                let directories = frame.directories.split();
                return self.queue.give(Frame { directories, ..Frame::new(directory.clone(), false) });
            }
        }
    }

    /// Reads some names. What is no directory is looked at right away, or given to another thread if it is much.
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
            } else if self.look(directory, name) {
                directories.push(name);
            }
        });
        self.buffer = buffer;
        self.tell_seen();
        if others.len() >= WORTH_SHARING {
            self.queue.give(Frame { others, ..Frame::new(directory.clone(), false) });
            others = Names::default();
        }
        let more = more.unwrap_or_else(|error| {
            let path = || about.trail.printed();
            walk.fixer.refused(Refusal { action: Action::Look, error }, Some(&about.stat), path);
            false
        });
        if let Some(frame) = self.stack.last_mut() {
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
                if self.look(parent, name) {
                    // Somebody swaps it for something else and back all the time.
                    Ledger::count(&self.walk.fixer.ledger.vanished);
                }
            }
            Err(Errno::ACCESS) => match self.force(parent, name) {
                Ok(directory) => self.arrive(directory),
                Err((error, stat)) => self.refused(error, stat.as_ref(), parent, name),
            },
            Err(error) => self.refused(error, None, parent, name),
        }
    }

    /// Opens a directory that is closed to this process: it is set right first, if that opens it.
    fn force(&self, parent: &Directory, name: &CStr) -> Result<Directory, (Errno, Option<Stat>)> {
        let pinned = parent.pin(name).map_err(|error| (error, None))?;
        let stat = Stat::open(&pinned).map_err(|error| (error, None))?;
        if self.walk.fixer.treatment == Treatment::Apply && stat.is_directory() {
            self.walk.fixer.set(&pinned, &stat, || Trail::below(&parent.about.trail, name.to_bytes()).printed());
        }
        parent.enter_pinned(&pinned, name).map_err(|error| (error, Some(stat)))
    }

    fn arrive(&mut self, directory: Directory) {
        let walk = self.walk;
        let (about, root) = (&directory.about, &self.root.about);
        if walk.one_file_system && (about.stat.mount, about.stat.id.device) != (root.stat.mount, root.stat.id.device) {
            return;
        }
        self.seen.set(self.seen.get() + 1);
        let more = about.depth < walk.max_depth;
        self.stack.push(Frame::new(directory.into(), more));
        if let Some(far) = self.stack.len().checked_sub(self.open_limit).filter(|far| *far > 0) {
            self.close(far);
        }
    }

    /// Closes a directory far above, unless another thread is in it.
    fn close(&mut self, far: usize) {
        let place = &mut self.stack[far].place;
        *place = match std::mem::replace(place, Place::Lost) {
            Place::Open(directory) => match Arc::try_unwrap(directory) {
                Ok(directory) => directory.close().map_or(Place::Lost, Place::Closed),
                Err(shared) => Place::Open(shared),
            },
            other => other,
        };
    }

    /// Goes back up; the last one to leave a directory sets it right.
    fn leave(&mut self) {
        let Some(frame) = self.stack.pop() else { return };
        self.pending -= frame.size;
        let Place::Open(directory) = frame.place else { return };
        if let Some(above) = self.stack.last_mut()
            && let Place::Closed(closed) = &above.place
        {
            above.place = match closed.reopen(&directory) {
                Ok(Some(reopened)) => Place::Open(reopened.into()),
                moved => {
                    let reason = || match moved {
                        Err(error) => format!("cannot get back into it: {}", words(error)),
                        Ok(_) => "it was moved while it was looked at: run again".into(),
                    };
                    self.walk.fixer.ledger.fail(Exit::Failed, || closed.about.trail.printed(), reason);
                    Place::Lost
                }
            };
        }
        if let Some(directory) = Arc::into_inner(directory) {
            self.walk.fixer.set_directory(&directory);
        }
    }

    /// Looks at a name that is no directory, and sets it right; true if it is one after all.
    fn look(&self, directory: &Directory, name: &CStr) -> bool {
        // Where the last entry was wrong the next one most likely is too: the look at what is pinned is enough then.
        if !self.expects_wrong.get() {
            match Stat::at(directory, name) {
                Ok(stat) if stat.is_directory() => return true,
                Ok(stat) if self.walk.fixer.wanted.change(&stat).is_nothing() => {
                    self.seen.set(self.seen.get() + 1);
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
        self.seen.set(self.seen.get() + 1);
        let change = self.walk.fixer.wanted.change(&stat);
        self.expects_wrong.set(!change.is_nothing());
        if change.is_nothing() {
            return Ok(false);
        }
        if let Some(links) = self.walk.links.as_ref().filter(|_| stat.kind == Kind::Regular && stat.links > 1)
            && !links.is_complete(&pinned, &stat, (directory.about.stat.id, &directory.about.trail), name)?
        {
            return Ok(false);
        }
        let path = || Trail::below(&directory.about.trail, name.to_bytes()).printed();
        self.walk.fixer.change(&pinned, &stat, change, path);
        Ok(false)
    }

    /// Not for each entry: threads would fight over the counter.
    fn tell_seen(&self) {
        self.walk.fixer.ledger.seen.fetch_add(self.seen.take(), Relaxed);
    }

    fn refused(&self, error: Errno, stat: Option<&Stat>, directory: &Directory, name: &CStr) {
        let path = || Trail::below(&directory.about.trail, name.to_bytes()).printed();
        self.walk.fixer.refused(Refusal { action: Action::Look, error }, stat, path);
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
