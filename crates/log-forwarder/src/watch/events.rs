//! The events of inotify about the directories, collected until the next look.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use notify::{
    EventKind,
    event::{Flag, ModifyKind, RenameMode},
};
use tokio::sync::Notify;

use crate::files::names::Rename;

/// After an event the next ones gather in the kernel for this long. The kernel merges equal events that are not read yet, so that
/// a log that is written line by line does not wake the helper for each line.
const GATHER: Duration = Duration::from_millis(20);
/// An event that comes sooner after the one before was read together with it, and there is nothing to wait for.
const SAME_READ: Duration = Duration::from_micros(25);
/// Renames, and files that were written, that are remembered between two looks; more count as lost events
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
}

impl News {
    /// The changes of names since then
    pub(crate) fn add(&mut self, news: Self) {
        self.names |= news.names;
        let room = LIMIT.saturating_sub(self.renames.len());
        self.overflow |= news.overflow || news.renames.len() > room;
        self.renames.extend(news.renames.into_iter().take(room));
    }

    /// Whether names are to be looked at
    pub(crate) fn is_urgent(&self) -> bool {
        self.names || self.overflow
    }
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

    /// What the watcher's own thread does with each event
    pub(crate) fn handler(&self) -> impl FnMut(notify::Result<notify::Event>) + Send + 'static {
        let events = self.clone();
        let mut last: Option<Instant> = None;
        move |event| {
            if events.record(event) {
                events.wake.notify_one();
                if last.is_none_or(|at| at.elapsed() >= SAME_READ) {
                    thread::sleep(GATHER);
                }
            }
            last = Some(Instant::now());
        }
    }

    /// False if the event is nothing that matters, such as our own opening of a file.
    fn record(&self, event: notify::Result<notify::Event>) -> bool {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(mut event) = event else {
            news.overflow = true;
            return true;
        };
        if event.kind.is_access() {
            return false;
        }
        news.overflow |= event.flag() == Some(Flag::Rescan) || news.renames.len().max(news.written.len()) >= LIMIT;
        if let Some(directory) = event.paths.first().and_then(|path| path.parent()) {
            count(&mut news.counts, directory);
        }
        if matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))) {
            let is_room = news.written.len() < LIMIT;
            news.written.extend(event.paths.into_iter().filter(|_| is_room));
            return true;
        }
        news.names = true;
        if event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::Both))
            && news.renames.len() < LIMIT
            && let (Some(to), Some(from)) = (event.paths.pop(), event.paths.pop())
        {
            news.renames.push(Rename { from, to });
        }
        true
    }
}

fn count(counts: &mut HashMap<PathBuf, u64>, directory: &Path) {
    if let Some(count) = counts.get_mut(directory) {
        *count += 1;
    } else {
        counts.insert(directory.to_path_buf(), 1);
    }
}
