//! A value that is made from files, and made again when they change.
//!
//! Files are looked at once a second at most, when the value is used, and on a blocking thread, because the server of a
//! mount may be gone. While a look hangs, the last value stays in use. A new content that cannot be used is logged, and the
//! last value stays in use too.
//!
//! A secret whose file is gone was withdrawn, for example because it expires: after a grace for writers that remove a file
//! before they write it again, its value ends. A certificate or a key is not withdrawn by that: its last value stays in use.
//!
//! Long because one state holds the value, the look under way and the grace, and each look changes all of them.

#[cfg(test)]
pub(crate) mod tests;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use files::Version;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use lifecycle::LogThrottle;
use tokio::{task, time};

use crate::failure::Failure;

/// No file is looked at more often.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the first use waits for a look, and how long a use waits that has the last value at hand
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
const LATER_PATIENCE: Duration = Duration::from_millis(200);
/// A look that takes longer is given up; a slow volume answers earlier.
const LOOK_LIMIT: Duration = Duration::from_secs(60);
/// A writer that removes a file before it writes it again does so within this time.
const GRACE: Duration = Duration::from_secs(2);
/// How often all files were to be read again
static READINGS: AtomicU64 = AtomicU64::new(0);

/// Makes every file count as changed, as SIGHUP asks for. The next use of each value reads its files again.
pub fn read_files_again() {
    READINGS.fetch_add(1, Relaxed);
}

/// A value, or the files that it is made from
#[derive(Clone, Debug)]
pub(crate) enum Source<T: Clone + Send + 'static> {
    Fixed(T),
    Files(Files<T>),
}

/// Files that a value is made from; clones share what was read
pub(crate) struct Files<T: Clone + Send + 'static>(Arc<Inner<T>>);

struct Inner<T: Clone> {
    paths: Vec<PathBuf>,
    read: Box<dyn Fn() -> Result<T, String> + Send + Sync>,
    /// Whether the value ends with its files
    ends_with_files: bool,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Option<T>,
    /// The files have given a value before: one that gives none now may be half written
    was_usable: bool,
    /// Those of the files that `current` was made from
    versions: Option<Vec<Option<Version>>>,
    /// Why the last look gave no value
    error: Option<Failure>,
    looked: Option<Instant>,
    /// The first of the looks in a row that found no file
    gone_since: Option<Instant>,
    look: Option<Shared<BoxFuture<'static, ()>>>,
    readings: u64,
    throttle: LogThrottle,
}

/// The result of a look
enum Found<T> {
    Unchanged,
    Changed(Vec<Option<Version>>, Result<T, String>),
    /// A file of a value that ends with its files is gone, with the words of the failed reading
    Gone(String),
}

impl<T: Clone + Send + 'static> Source<T> {
    /// Made from these files by `read`, at the first use.
    pub(crate) fn files(paths: Vec<PathBuf>, read: impl Fn() -> Result<T, String> + Send + Sync + 'static) -> Self {
        Self::new(paths, read, false)
    }

    /// Made from this file by `read`, at the first use. The value ends when the file is gone for longer than a grace.
    pub(crate) fn secret_file(path: PathBuf, read: impl Fn() -> Result<T, String> + Send + Sync + 'static) -> Self {
        Self::new(vec![path], read, true)
    }

    fn new(
        paths: Vec<PathBuf>,
        read: impl Fn() -> Result<T, String> + Send + Sync + 'static,
        ends_with_files: bool,
    ) -> Self {
        let state = State {
            current: None,
            was_usable: false,
            versions: None,
            error: None,
            looked: None,
            gone_since: None,
            look: None,
            readings: READINGS.load(Relaxed),
            throttle: LogThrottle::default(),
        };
        Self::Files(Files(Arc::new(Inner { paths, read: Box::new(read), ends_with_files, state: state.into() })))
    }

    /// The value as the files are now, or as they were a second ago.
    pub(crate) async fn current(&self) -> Result<T, Failure> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Files(files) => files.current().await,
        }
    }

    /// Drops the value, because the server does not accept it: the next use reads the files.
    pub(crate) fn forget(&self) {
        if let Self::Files(files) = self {
            let mut state = files.0.state();
            (state.current, state.versions, state.looked) = (None, None, None);
        }
    }

    /// Why the last look gave no value, also where the former value stays in use
    pub(crate) fn fault(&self) -> Option<Failure> {
        match self {
            Self::Fixed(_) => None,
            Self::Files(files) => files.0.state().error.clone(),
        }
    }

    /// The files
    pub(crate) fn paths(&self) -> &[PathBuf] {
        match self {
            Self::Fixed(_) => &[],
            Self::Files(files) => &files.0.paths,
        }
    }
}

impl<T: Clone + Send + 'static> Files<T> {
    /// The first file
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    async fn current(&self) -> Result<T, Failure> {
        let (patience, look) = {
            let mut state = self.0.state();
            let readings = READINGS.load(Relaxed);
            if state.readings != readings {
                (state.readings, state.versions, state.looked) = (readings, None, None);
            }
            if state.looked.is_some_and(|looked| looked.elapsed() < INTERVAL) {
                return state.result();
            }
            let look = state.look.get_or_insert_with(|| self.look(Instant::now())).clone();
            (if state.current.is_some() { LATER_PATIENCE } else { FIRST_PATIENCE }, look)
        };
        let in_time = time::timeout(patience, look).await.is_ok();
        let state = self.0.state();
        match state.current.clone() {
            Some(value) => Ok(value),
            None if in_time => state.result(),
            None => {
                let path = self.0.path().display();
                let reason = format!("the volume of {path} does not answer: is its server gone?");
                Err(Failure::File { reason, may_pass: true })
            }
        }
    }

    /// Looks at the files in a task, so that the result of a slow look is kept although no caller waits for it any more.
    fn look(&self, now: Instant) -> Shared<BoxFuture<'static, ()>> {
        let inner = self.0.clone();
        let task = task::spawn(async move {
            let found = inner.clone().look_in_turn().await;
            inner.state().take(found, now);
        });
        let inner = self.0.clone();
        async move {
            if task.await.is_err() {
                // The runtime has ended: another one must look itself.
                inner.state().look = None;
            }
        }
        .boxed()
        .shared()
    }
}

impl<T: Clone + Send + 'static> Inner<T> {
    fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks on a blocking thread, after other users of the same path.
    async fn look_in_turn(self: Arc<Self>) -> Result<Found<T>, Failure> {
        let inner = self.clone();
        let look = lifecycle::on_volume_in_turn(self.path(), LOOK_LIMIT, move || inner.look());
        look.await.map_err(|error| Failure::File {
            reason: format!("cannot read {}: {}", self.path().display(), lifecycle::io_text(&error)),
            // A volume that is silent for that long may come back; the file is not at fault.
            may_pass: error.kind() == io::ErrorKind::TimedOut,
        })
    }

    fn look(&self) -> Found<T> {
        // Before the read, so that a write between the two shows as a change at the next look.
        let versions: Vec<_> = self.paths.iter().map(|path| Version::of(path)).collect();
        if self.state().versions.as_ref() == Some(&versions) {
            return Found::Unchanged;
        }
        match (self.read)() {
            // After the read: a file that is back by now is looked at again.
            Err(reason) if self.ends_with_files && self.paths.iter().any(|path| is_gone(path)) => Found::Gone(reason),
            result => Found::Changed(versions, result),
        }
    }
}

impl<T: Clone> State<T> {
    /// Keeps what a look that began at this moment has found.
    fn take(&mut self, found: Result<Found<T>, Failure>, began: Instant) {
        self.look = None;
        self.looked = Some(began);
        // A look that fails says nothing about the file: the grace goes on.
        if matches!(found, Ok(Found::Unchanged | Found::Changed(..))) {
            self.gone_since = None;
        }
        let error = match found {
            // The value was refused during the look: the next use must read the files.
            Ok(Found::Unchanged) if self.current.is_none() => return self.looked = None,
            Ok(Found::Unchanged) => return self.settle(),
            Ok(Found::Changed(versions, Ok(value))) => {
                (self.current, self.versions) = (Some(value), Some(versions));
                self.was_usable = true;
                return self.settle();
            }
            Ok(Found::Changed(_, Err(reason))) => Failure::File { reason, may_pass: self.was_usable },
            Ok(Found::Gone(reason)) => {
                let since = *self.gone_since.get_or_insert(began);
                if self.current.is_some() && began.duration_since(since) < GRACE {
                    return;
                }
                // The file may come back with the version that it had.
                (self.current, self.versions) = (None, None);
                Failure::File { reason, may_pass: self.was_usable }
            }
            Err(failure) => failure,
        };
        let reason = error.to_string();
        if self.current.is_some() && self.throttle.is_due(&reason, Instant::now()) {
            tracing::warn!(reason, "a file cannot be used; its former content stays in use");
        }
        self.error = Some(error);
    }

    /// The fault is over, which is news if the log has told of it.
    fn settle(&mut self) {
        let former = self.error.take();
        if let (true, Some(former)) = (self.throttle.settle(), former) {
            tracing::info!(%former, "the files of a fault can be used again");
        }
    }

    fn result(&self) -> Result<T, Failure> {
        self.current.clone().ok_or_else(|| {
            // Without an error, the value was refused during the last look, and the next use reads the files.
            let unread = || Failure::File { reason: "the files were not read".to_owned(), may_pass: true };
            self.error.clone().unwrap_or_else(unread)
        })
    }
}

/// Whether nothing has this name, or its link leads nowhere. An error of the volume or of permissions is no answer.
fn is_gone(path: &Path) -> bool {
    matches!(fs::metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

impl<T: Clone + Send + 'static> Clone for Files<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Only the paths: the value may be a secret.
impl<T: Clone + Send + 'static> fmt::Debug for Files<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_tuple("Files").field(&self.0.paths).finish()
    }
}
