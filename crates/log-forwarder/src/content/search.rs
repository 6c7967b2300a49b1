//! Looks for a content among compressed files, on a thread of its own: a large one takes seconds to unpack.

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, Receiver, TryRecvError},
    },
    task::Poll,
    thread,
    time::Duration,
};

use super::{
    copies::{Packed, Sought, Verdict, is_packed},
    volume::{Inode, Volume},
};

/// Between two looks at a file that is being compressed still
const PAUSE: Duration = Duration::from_millis(500);
/// A file without an end that did not grow for this number of looks stays without one.
const LOOKS: u32 = 10;

/// Inodes that are known, and when each was made
pub(crate) type Known = BTreeSet<(Inode, Option<i64>)>;

/// A search that goes on
#[derive(Debug)]
pub(crate) struct Search {
    /// The generation's
    pub(crate) key: u64,
    answer: Receiver<Option<Packed>>,
}

impl Search {
    /// Begins one, among all files but those that are known.
    pub(crate) fn start(key: u64, volume: Arc<dyn Volume>, sought: Sought, known: Known) -> io::Result<Self> {
        let (sender, answer) = mpsc::channel();
        let seek = move || {
            // The receiver is gone when the helper is over.
            let _ = sender.send(seek(volume.as_ref(), &sought, &known));
        };
        thread::Builder::new().name("search".to_owned()).spawn(seek)?;
        Ok(Self { key, answer })
    }

    /// The result, once it is known
    pub(crate) fn answer(&self) -> Poll<Option<Packed>> {
        match self.answer.try_recv() {
            Ok(found) => Poll::Ready(found),
            Err(TryRecvError::Empty) => Poll::Pending,
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
        }
    }
}

/// The compressed files that may hold a content
pub(crate) fn packed(volume: &dyn Volume, sought: &Sought, known: &Known) -> Vec<PathBuf> {
    let candidates = sought.candidates(volume, |stat| known.contains(&(stat.inode, stat.born)));
    candidates.into_iter().map(|entry| entry.path).filter(|path| is_packed(volume, path)).collect()
}

fn seek(volume: &dyn Volume, sought: &Sought, known: &Known) -> Option<Packed> {
    let (mut size, mut looks) = (0, 0);
    while looks < LOOKS {
        let mut unfinished = 0;
        for path in packed(volume, sought, known) {
            match sought.unpack(volume, &path) {
                Ok(Verdict::Same(packed)) => return Some(packed),
                Ok(Verdict::Unfinished(size)) => unfinished += 1 + size,
                // Deleted since, or not ours to read
                Ok(Verdict::Other) | Err(_) => {}
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
