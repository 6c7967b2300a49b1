//! Which files have a descriptor when there are more files than descriptors.
//!
//! A file that was read to its end gives its descriptor to one that waits. When an output has read all that is open and
//! another output has not, because its server is away, the first one still gets its turn. A file that waits is known by its
//! inode and its head, so that it is found again after a rename; a file that is deleted while it waits is counted as lost.

use std::{collections::BTreeSet, path::Path, time::Instant};

use super::{
    descriptors::Descriptors,
    fate::Fate,
    known::{FileState, Key, KnownFile, OutputId},
    listings::Listings,
    look::Looker,
    names::Names,
    place::Place,
    set::{Change, FileSet},
    trust::Trust,
};

/// The parts of the forwarder that sharing changes
pub(crate) struct Sharing<'a> {
    pub(crate) descriptors: &'a mut Descriptors,
    pub(crate) set: &'a mut FileSet,
    pub(crate) names: &'a mut Names,
    pub(crate) looker: &'a mut Looker,
    pub(crate) now: Instant,
}

impl Sharing<'_> {
    /// Gives descriptors to files that wait for one. True if there is something new to read.
    pub(crate) fn share(&mut self) -> bool {
        let budget = self.descriptors.budget;
        let waiting = self.waiting(None);
        if waiting.is_empty() && self.set.open_count() <= budget {
            self.report(0);
            return false;
        }
        // Files that were read to their end make room first, because no output waits for them.
        let missing = (self.set.open_count() + waiting.len()).saturating_sub(budget);
        self.close(missing, KnownFile::is_all_settled);
        let mut is_news = self.open(&waiting);
        for output in self.set.outputs() {
            let waiting = self.waiting(Some(output));
            if !waiting.is_empty() && self.is_starved(output) {
                // The open files are of no use to this output now.
                self.close(waiting.len(), |_| true);
                is_news |= self.open(&waiting);
            }
        }
        // Copies are opened without asking, because the truncated file is gone otherwise.
        self.close(self.set.open_count().saturating_sub(budget), |_| true);
        let count = self.waiting(None).len();
        self.report(count);
        is_news
    }

    /// The files without a descriptor in which an output, or any of them, would find something to read now, in turn
    fn waiting(&self, output: Option<OutputId>) -> Vec<Key> {
        let outputs = self.set.outputs().filter(|one| output.is_none_or(|output| output == *one));
        let keys: BTreeSet<Key> = outputs.flat_map(|output| self.set.parked(output)).collect();
        let turn = self.descriptors.turn;
        keys.range(turn..).chain(keys.range(..turn)).copied().collect()
    }

    /// Whether an output has no batch under way and finds nothing to read in the files that are open.
    fn is_starved(&self, output: OutputId) -> bool {
        let is_busy = self.set.iter().any(|(_, file)| !file.cursors[output.0].is_idle());
        !is_busy && self.set.first_readable(output, 0..Key::MAX).is_none()
    }

    /// Closes at most this many of the files that may be closed, first those that have not grown for longest.
    fn close(&mut self, count: usize, may_close: impl Fn(&KnownFile) -> bool) {
        if count == 0 {
            return;
        }
        let candidates = self.set.iter().filter(|(_, file)| may_close(file));
        let candidates = candidates.filter_map(|(key, file)| Some((means(file)?, file.grown, key)));
        let mut candidates: Vec<_> = candidates.collect();
        candidates.sort_unstable();
        for (means, _, key) in candidates.into_iter().take(count) {
            let fate = match means {
                Means::Park => Fate::Park,
                Means::Close => Fate::Close,
                Means::Forget => Fate::Forget,
            };
            self.set.apply(Change::Meet(key, fate), self.now);
        }
    }

    /// Opens these files as far as descriptors are left. True if one was opened.
    fn open(&mut self, waiting: &[Key]) -> bool {
        let volume = self.looker.volume.clone();
        let mut listings = Listings::new(volume.as_ref());
        let mut is_news = false;
        for key in waiting {
            if self.set.open_count() >= self.descriptors.budget {
                break;
            }
            let Some(file) = self.set.get(*key) else { continue };
            let path = match file.state {
                FileState::Live => Some(file.source.path.clone()),
                // The present name of a rotated file is not known.
                _ => listings.of(&file.home).file(file.inode).map(|entry| entry.path.clone()),
            };
            let Some(path) = path else { continue };
            is_news |= self.open_again(*key, &path);
            self.descriptors.turn = *key + 1;
        }
        is_news
    }

    /// Opens a file that waits for its turn. True if there is something to read; a scan judges a file that has another content.
    fn open_again(&mut self, key: Key, path: &Path) -> bool {
        let is_same = self.looker.reopen(self.set, self.names, (key, path), true, self.now) == Place::Same;
        if !is_same {
            self.names.doubt();
        }
        is_same && self.set.get(key).is_some_and(KnownFile::is_open)
    }

    /// Sets the metric, and says so in the log while files wait.
    fn report(&mut self, waiting: usize) {
        self.descriptors.waiting = waiting;
        self.set.ledger().waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        let budget = self.descriptors.budget;
        let what = "more files have unread lines than may be open at once; they are read in turn: raise the limit of open files";
        if waiting > 0 && self.descriptors.throttle.is_due(what, self.now) {
            tracing::warn!(waiting, open_at_most = budget, "{what}");
        }
    }
}

/// How a file can give its descriptor to another one
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Means {
    Park,
    /// It is complete, and known again by its inode.
    Close,
    /// It cannot be opened again, but every output has everything.
    Forget,
}

/// How a file can give its descriptor away, also one of which an output has a batch: that is in memory. A deleted file would be
/// gone, and a compressed one would have to be unpacked again from its beginning.
fn means(file: &KnownFile) -> Option<Means> {
    let is_found_again = matches!(file.state, FileState::Live | FileState::Rotated) && file.trust != Trust::None;
    match () {
        () if !file.is_open() => None,
        () if is_found_again && file.is_packed() => (file.ended && file.is_all_settled()).then_some(Means::Close),
        () if is_found_again => Some(Means::Park),
        () => (file.ended && file.is_all_settled()).then_some(Means::Forget),
    }
}
