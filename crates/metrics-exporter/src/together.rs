//! Work that concurrent callers share, and that is dropped with the last of them.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};

/// The longest age, since its begin, of a finished result that a later caller may share. It bounds the age of values.
const TOGETHER: Duration = Duration::from_millis(500);

/// The share of the caller's time that the work must have left. With less, a scraper with a short timeout would make sources late
/// for one with a longer timeout.
const ENOUGH_TIME: f64 = 0.75;

/// The shared result of one piece of work
pub(crate) type Share<T> = Shared<BoxFuture<'static, T>>;

/// The running work, if there is any
pub(crate) struct Together<T: Clone>(Mutex<Option<UnderWay<T>>>);

struct UnderWay<T: Clone> {
    began: Instant,
    /// The time at which the work gives up
    end: Instant,
    /// The last caller that waits drops the work
    work: WeakShared<BoxFuture<'static, T>>,
}

impl<T: Clone> Default for Together<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Together<T> {
    /// Joins the running work, unless it is too old or gives up long before the end of `limit`. Otherwise begins new work, which
    /// must end within `limit`.
    pub(crate) fn join(&self, limit: Duration, begin: impl FnOnce() -> BoxFuture<'static, T>) -> Share<T> {
        let now = Instant::now();
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(UnderWay { began, end, work }) = &*under_way
            && let Some(work) = work.upgrade()
            && (work.peek().is_none() || now.duration_since(*began) < TOGETHER)
            && end.saturating_duration_since(now) >= limit.mul_f64(ENOUGH_TIME)
        {
            return work;
        }
        let work = begin().shared();
        *under_way = work.downgrade().map(|work| UnderWay { began: now, end: now + limit, work });
        work
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use tokio::sync::Notify;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// Work whose beginnings and ends a test can count
    #[derive(Clone, Default)]
    struct Work {
        begun: Arc<AtomicUsize>,
        dropped: Arc<AtomicUsize>,
        end: Arc<Notify>,
    }

    struct OnDrop(Arc<AtomicUsize>);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    impl Work {
        fn begin(&self) -> BoxFuture<'static, usize> {
            let number = self.begun.fetch_add(1, SeqCst);
            let (end, dropped) = (self.end.clone(), OnDrop(self.dropped.clone()));
            async move {
                let _dropped = dropped;
                end.notified().await;
                number
            }
            .boxed()
        }
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_work() {
        let (together, work) = (Together::default(), Work::default());
        let (first, second) = (together.join(LIMIT, || work.begin()), together.join(LIMIT, || work.begin()));
        work.end.notify_one();
        assert_eq!((first.await, second.await, work.begun.load(SeqCst)), (0, 0, 1));
        let next = together.join(LIMIT, || work.begin());
        work.end.notify_one();
        assert_eq!(next.await, 1, "the first result has no holder left");
    }

    #[tokio::test]
    async fn work_ends_with_its_last_caller() {
        let (together, work) = (Together::default(), Work::default());
        let (first, second) = (together.join(LIMIT, || work.begin()), together.join(LIMIT, || work.begin()));
        // Poll the work once, so that it has begun.
        assert!(first.clone().now_or_never().is_none());
        drop(first);
        assert_eq!(work.dropped.load(SeqCst), 0);
        drop(second);
        assert_eq!(work.dropped.load(SeqCst), 1);
    }

    #[tokio::test]
    async fn an_old_result_is_not_shared() {
        let (together, work) = (Together::default(), Work::default());
        let first = together.join(LIMIT, || work.begin());
        work.end.notify_one();
        assert_eq!(first.clone().await, 0);
        assert_eq!(together.join(LIMIT, || work.begin()).now_or_never(), Some(0), "a moment later");
        std::thread::sleep(TOGETHER);
        let later = together.join(LIMIT, || work.begin());
        work.end.notify_one();
        assert_eq!(later.await, 1);
        drop(first);
    }

    #[tokio::test]
    async fn a_caller_with_more_time_does_not_join_work_with_less() {
        let (together, work) = (Together::default(), Work::default());
        let hurried = together.join(LIMIT / 2, || work.begin());
        let patient = together.join(LIMIT, || work.begin());
        let alike = together.join(LIMIT * 5 / 4, || work.begin());
        assert_eq!(work.begun.load(SeqCst), 2);
        for (share, number) in [(hurried, 0), (patient, 1), (alike, 1)] {
            work.end.notify_one();
            assert_eq!(share.await, number);
        }
    }
}
