//! Looks into compressed files, on a thread of its own: a large one takes seconds to unpack.

use std::{
    collections::BTreeSet,
    io,
    path::Path,
    sync::Arc,
    sync::mpsc::{self, Receiver, TryRecvError},
    task::Poll,
    thread,
    time::Duration,
};

use super::{
    copies::{Sought, is_packed},
    foreign::beginning,
    measure::{Packed, Verdict},
    volume::{Inode, Stat, Volume},
};

/// Between two looks at a file that is being compressed still
const PAUSE: Duration = Duration::from_millis(500);
/// A file without an end that did not grow for this number of looks stays without one.
const LOOKS: u32 = 10;

/// Inodes that are known, and when each was made
pub(crate) type Known = BTreeSet<(Inode, Option<i64>)>;

/// A search that goes on
#[derive(Debug)]
pub(crate) struct Search<T> {
    /// The generation's
    pub(crate) key: u64,
    answer: Receiver<T>,
}

impl<T: Send + 'static> Search<T> {
    /// Begins one.
    pub(crate) fn start(key: u64, search: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (sender, answer) = mpsc::channel();
        let search = move || {
            // The receiver is gone when the helper is over.
            let _ = sender.send(search());
        };
        thread::Builder::new().name("search".to_owned()).spawn(search)?;
        Ok(Self { key, answer })
    }

    /// The result, once it is known; `None` if the search has failed
    pub(crate) fn answer(&self) -> Poll<Option<T>> {
        match self.answer.try_recv() {
            Ok(found) => Poll::Ready(Some(found)),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
        }
    }
}

/// The compressed files that may hold a content
pub(crate) fn packed(volume: &dyn Volume, sought: &Sought, is_known: impl Fn(&Stat) -> bool) -> Vec<Arc<Path>> {
    let candidates = sought.candidates(volume, is_known);
    let is_packed = |path: &Arc<Path>| {
        let beginning = volume.open(path).and_then(|file| beginning(file.as_ref()));
        beginning.is_ok_and(|beginning| is_packed(path, &beginning))
    };
    candidates.into_iter().map(|entry| entry.path).filter(is_packed).collect()
}

/// The compressed file that holds a content, among all files but those that are known
pub(crate) fn seek(volume: &dyn Volume, sought: &Sought, known: &Known) -> Option<Box<Packed>> {
    let (mut size, mut looks) = (0, 0);
    while looks < LOOKS {
        let mut unfinished = 0;
        for path in packed(volume, sought, |stat| known.contains(&(stat.inode, stat.born))) {
            match sought.unpack(volume, &path) {
                Ok(Verdict::Same(packed)) => return Some(packed),
                Ok(Verdict::Unfinished(stat)) => unfinished += 1 + stat.size,
                // Deleted since, or not ours to read
                Ok(Verdict::Other | Verdict::Unfit(..)) | Err(_) => {}
            }
        }
        if unfinished == 0 {
            return None;
        }
        looks = if unfinished == size { looks + 1 } else { 0 };
        size = unfinished;
        thread::sleep(PAUSE);
    }
    None
}
