//! Work on a volume, kept away from the threads that must go on.
//!
//! A mount whose server is gone blocks each system call for ever, and no thread can be woken from
//! one. So such work runs on a blocking thread of the runtime, its caller waits only until a
//! deadline, and a path that hangs already gets no second thread.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    task, time,
};

/// Paths whose work may hang at once; each costs a thread. A pod mounts fewer volumes than this.
const HANGING_LIMIT: usize = 64;

/// The places for paths whose work is under way
static PLACES: Semaphore = Semaphore::const_new(HANGING_LIMIT);
/// The turn of each path that work is under way or waits for. The end of one turn wakes only the next one in line.
static TURNS: Mutex<Option<HashMap<PathBuf, Weak<Semaphore>>>> = Mutex::new(None);

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
    run(Place::take(path, &PLACES)?, limit, work).await
}

/// The same, but waits for its turn while other work about the same path is under way, for as long as that takes. The
/// caller gives up by dropping the future.
pub async fn on_volume_in_turn<T: Send + 'static>(
    path: &Path,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    run(Place::wait(path).await?, limit, work).await
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
struct Place {
    _turn: OwnedSemaphorePermit,
    _place: SemaphorePermit<'static>,
}

impl Place {
    fn take(path: &Path, places: &'static Semaphore) -> io::Result<Self> {
        let turn = turn_of(path)
            .try_acquire_owned()
            .map_err(|_| busy("the volume has not answered an earlier question".into()))?;
        let place = places.try_acquire().map_err(|_| {
            busy(format!("the volume was not asked, because {HANGING_LIMIT} other paths wait for answers of theirs"))
        })?;
        Ok(Self { _turn: turn, _place: place })
    }

    async fn wait(path: &Path) -> io::Result<Self> {
        let turn = turn_of(path).acquire_owned().await.map_err(io::Error::other)?;
        let place = PLACES.acquire().await.map_err(io::Error::other)?;
        Ok(Self { _turn: turn, _place: place })
    }
}

/// The turn that all work about this path shares
fn turn_of(path: &Path) -> Arc<Semaphore> {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    let turns = turns.get_or_insert_default();
    if let Some(turn) = turns.get(path).and_then(Weak::upgrade) {
        return turn;
    }
    // Forget the paths that no work is about, so that the map holds no more than the paths of now.
    turns.retain(|_, turn| turn.strong_count() > 0);
    let turn = Arc::new(Semaphore::new(1));
    turns.insert(path.into(), Arc::downgrade(&turn));
    turn
}

fn busy(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, reason)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering::SeqCst},
            mpsc,
        },
        task::{Context, Wake},
    };

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
        static FULL: Semaphore = Semaphore::const_new(0);
        let path = Path::new("/mnt/refused");
        let reason = |places| Place::take(path, places).err().map(|error| error.to_string());
        let full = "the volume was not asked, because 64 other paths wait for answers of theirs";
        assert_eq!(reason(&FULL).as_deref(), Some(full));
        let _first = Place::take(path, &PLACES).unwrap();
        assert_eq!(reason(&FULL).as_deref(), Some("the volume has not answered an earlier question"));
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

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[tokio::test]
    async fn the_end_of_a_turn_wakes_only_the_next_in_line() {
        let path = Path::new("/mnt/line");
        let (release, hang) = mpsc::channel::<()>();
        let first = tokio::spawn(on_volume(path, LATE, move || hang.recv()));
        task::yield_now().await;
        let count = Arc::new(Wakes::default());
        let waker = count.clone().into();
        let mut line: Vec<_> = (0..50).map(|_| Box::pin(on_volume_in_turn(path, LATE, || ()))).collect();
        for waiting in &mut line {
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(release);
        assert!(first.await.unwrap().unwrap().is_err());
        assert_eq!(count.0.load(SeqCst), 1);
    }

    #[tokio::test]
    async fn a_turn_is_forgotten_behind_its_last_work() {
        on_volume(Path::new("/mnt/once"), LATE, || ()).await.unwrap();
        on_volume(Path::new("/mnt/next"), LATE, || ()).await.unwrap();
        let turns = TURNS.lock().unwrap();
        assert!(!turns.as_ref().unwrap().contains_key(Path::new("/mnt/once")));
    }

    #[tokio::test]
    async fn work_that_panics_frees_its_path() {
        let path = Path::new("/mnt/panic");
        assert!(on_volume(path, LATE, || panic!("on purpose")).await.is_err());
        assert!(on_volume(path, LATE, || ()).await.is_ok());
    }
}
