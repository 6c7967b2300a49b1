//! Work on a volume, kept away from the threads that must go on.
//!
//! A mount whose server is gone blocks each system call for ever, and no thread can be woken from
//! one. So such work runs on a blocking thread of the runtime, its caller waits only until a
//! deadline, and a path that hangs already gets no second thread.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, task, time};

/// Paths whose work may hang at once; each costs a thread. A pod mounts fewer volumes than this.
const HANGING_LIMIT: usize = 64;

/// The paths whose work is under way
static UNDER_WAY: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
/// Tells those who wait for their turn that a path is free again
static FREED: Notify = Notify::const_new();

/// Runs blocking `work` about `path` on a blocking thread and waits for its result at most `limit`.
///
/// Fails with `TimedOut` when the limit has passed, and at once with `WouldBlock` while earlier
/// work about the same path is under way, or work about too many other paths. Work that hangs
/// keeps its thread; its late result is dropped.
pub async fn on_volume<T: Send + 'static>(
    path: &Path,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    run(Place::take(path)?, limit, work).await
}

/// The same, but waits for its turn while other work about the same path is under way, for as long as that takes. The
/// caller gives up by dropping the future.
pub async fn on_volume_in_turn<T: Send + 'static>(
    path: &Path,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    loop {
        let mut freed = pin!(FREED.notified());
        // Before the look, so that a path that is freed after it is noticed.
        freed.as_mut().enable();
        match Place::take(path) {
            Ok(place) => return run(place, limit, work).await,
            Err(_) => freed.await,
        }
    }
}

async fn run<T: Send + 'static>(
    place: Place,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let work = move || {
        let result = work();
        // Free the path first, because the caller may ask again as soon as it has the result.
        drop(place);
        result
    };
    let Ok(result) = time::timeout(limit, task::spawn_blocking(work)).await else {
        let limit = crate::format_duration(limit);
        return Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer from the volume within {limit}")));
    };
    result.map_err(|_| io::Error::other("the work on the volume panicked"))
}

/// A path whose work is under way; free again when this is dropped, also by a panic
struct Place(PathBuf);

impl Place {
    fn take(path: &Path) -> io::Result<Self> {
        let mut under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = under_way.get_or_insert_default();
        if let Some(reason) = refusal(paths, path) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, reason));
        }
        paths.insert(path.into());
        Ok(Self(path.into()))
    }
}

/// Why no work about this path may begin beside the work about these.
fn refusal(under_way: &HashSet<PathBuf>, path: &Path) -> Option<String> {
    if under_way.contains(path) {
        return Some("the volume has not answered an earlier question".into());
    }
    (under_way.len() >= HANGING_LIMIT)
        .then(|| format!("the volume was not asked, because {HANGING_LIMIT} other paths wait for answers of theirs"))
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(paths) = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            paths.remove(&self.0);
        }
        FREED.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn work_that_hangs_ends_at_the_limit_and_holds_its_path() {
        let (release, hang) = mpsc::channel::<()>();
        let path = Path::new("/mnt/hung");
        let late = on_volume(path, SOON, move || hang.recv()).await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert_eq!(on_volume(path, LATE, || ()).await.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(on_volume(Path::new("/mnt/other"), LATE, || 7).await.unwrap(), 7);
        drop(release);
        while on_volume(path, LATE, || ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn a_refusal_names_its_true_reason() {
        let path = Path::new("/mnt/0");
        let paths = |range: std::ops::Range<usize>| range.map(|number| format!("/mnt/{number}").into()).collect();
        assert_eq!(refusal(&paths(1..HANGING_LIMIT), path), None);
        let reason = refusal(&paths(1..HANGING_LIMIT + 1), path).unwrap();
        assert_eq!(reason, "the volume was not asked, because 64 other paths wait for answers of theirs");
        let reason = refusal(&paths(0..HANGING_LIMIT), path).unwrap();
        assert_eq!(reason, "the volume has not answered an earlier question");
    }

    #[tokio::test]
    async fn work_about_one_path_waits_for_its_turn() {
        let path = Path::new("/mnt/shared");
        let (release, hang) = mpsc::channel::<()>();
        let first = tokio::spawn(on_volume(path, LATE, move || hang.recv()));
        let waiting: Vec<_> =
            (0..50).map(|number| tokio::spawn(on_volume_in_turn(path, LATE, move || number))).collect();
        tokio::task::yield_now().await;
        drop(release);
        for (number, result) in waiting.into_iter().enumerate() {
            assert_eq!(result.await.unwrap().unwrap(), number);
        }
        assert!(first.await.unwrap().unwrap().is_err());
    }

    #[tokio::test]
    async fn work_that_panics_frees_its_path() {
        let path = Path::new("/mnt/panic");
        assert!(on_volume(path, LATE, || panic!("on purpose")).await.is_err());
        assert!(on_volume(path, LATE, || ()).await.is_ok());
    }
}
