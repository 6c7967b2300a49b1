//! The events of inotify about the directories, collected until the next look.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::files::names::Rename;

/// Renames, and files that were written, that are remembered between two looks; more count as lost
/// events
const LIMIT: usize = 10_000;

/// The events since the last look
#[derive(Debug, Default)]
pub(crate) struct News {
    /// A name has come, gone or changed
    pub(crate) names: bool,
    pub(crate) renames: Vec<Rename>,
    /// Files that were written
    pub(crate) written: HashSet<PathBuf>,
    /// Events got lost; anything may have happened
    pub(crate) overflow: bool,
    /// How many events each directory had
    pub(crate) counts: HashMap<PathBuf, u64>,
    /// The directories in which files were deleted
    pub(crate) deletions: HashSet<PathBuf>,
}

impl News {
    /// The changes of names since then
    pub(crate) fn add(&mut self, news: Self) {
        self.names |= news.names;
        self.deletions.extend(news.deletions);
        let room = LIMIT.saturating_sub(self.renames.len());
        self.overflow |= news.overflow || news.renames.len() > room;
        self.renames.extend(news.renames.into_iter().take(room));
    }

    /// Whether names are to be looked at
    pub(crate) fn is_urgent(&self) -> bool {
        self.names || self.overflow
    }
}

/// The meaning of one event
#[derive(Debug)]
pub(super) enum Happening {
    /// A file was written.
    Written(PathBuf),
    /// A name has come, gone or changed, or a file has other permissions.
    Named,
    Renamed(Rename),
    /// A name of a directory was deleted.
    Deleted,
    /// Events got lost.
    Lost,
}

/// Where events gather
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    news: Arc<Mutex<News>>,
    wake: Arc<Notify>,
}

impl Events {
    /// Takes the events so far.
    pub(crate) fn take(&self) -> News {
        std::mem::take(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the next look be a whole one.
    pub(crate) fn ask(&self) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).names = true;
        self.wake.notify_one();
    }

    /// Resolves when something has happened, maybe long ago.
    pub(crate) async fn happened(&self) {
        self.wake.notified().await;
    }

    /// Notes an event in a watched directory.
    pub(super) fn note(&self, directory: Option<&Path>, happening: Happening) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let is_room = news.renames.len().max(news.written.len()) < LIMIT;
        news.overflow |= !is_room;
        if let Some(directory) = directory {
            count(&mut news.counts, directory);
        }
        match happening {
            Happening::Written(path) => news.written.extend(Some(path).filter(|_| is_room)),
            Happening::Named => news.names = true,
            Happening::Renamed(rename) => {
                news.names = true;
                news.renames.extend(Some(rename).filter(|_| is_room));
            }
            Happening::Deleted => {
                news.names = true;
                news.deletions.extend(directory.map(Path::to_path_buf));
            }
            Happening::Lost => news.overflow = true,
        }
    }

    /// Wakes the task that waits for events.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
}

fn count(counts: &mut HashMap<PathBuf, u64>, directory: &Path) {
    if let Some(count) = counts.get_mut(directory) {
        *count += 1;
    } else {
        counts.insert(directory.to_path_buf(), 1);
    }
}
