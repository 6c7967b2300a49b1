//! [`Lifecycle`]: a job's questions and reports about its own life: the stop, its health, its tasks.
//!
//! Long because its tests run whole lives.

use std::{
    borrow::Cow,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, atomic::Ordering::Relaxed, mpsc::Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use hyper::{Request, Response};
use prometheus::Registry;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task, time,
};
use tokio_util::task::TaskTracker;

use crate::{
    app_exit_watch::AppEnd,
    event::Event,
    exit::{End, Exit},
    health::{Health, Hold, Pending},
    heartbeat::Heartbeat,
    metrics::Writers,
    pages::Pages,
    panics::panicked,
    phase::{Phase, Stopping},
};

/// The part of `--shutdown-timeout` that is left to a sidecar to save its progress and to report
/// undelivered work
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// State that the main thread, the listeners and the job share
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) health: Arc<Health>,
    pub(crate) registry: Registry,
    pub(crate) writers: Writers,
    pub(crate) events: Sender<Event>,
    pub(crate) phase: watch::Sender<Phase>,
    /// Counts SIGHUPs
    pub(crate) reloads: watch::Sender<u64>,
    pub(crate) app_end: watch::Sender<AppEnd>,
    pub(crate) pages: Pages,
    pub(crate) on_terminal: bool,
}

impl Control {
    pub(crate) fn new(events: Sender<Event>, on_terminal: bool) -> Self {
        let (health, registry) = (Health::new(Instant::now()).into(), Registry::new());
        let (phase, reloads) = (watch::Sender::new(Phase::Running), watch::Sender::new(0));
        let app_end = watch::Sender::new(AppEnd::NotWatched);
        let (pages, writers) = (Pages::default(), Writers::default());
        Self { health, registry, writers, events, phase, reloads, app_end, pages, on_terminal }
    }

    /// Asks the job to stop, once; returns whether this was the first time.
    pub(crate) fn stop(&self, exit: Exit, since: Instant) -> bool {
        self.health.become_unready();
        self.phase.send_if_modified(|phase| {
            let is_first = !phase.is_stopping();
            if is_first {
                let unready_since = if let Phase::Draining { since } = *phase { since } else { since };
                *phase = Phase::Stopping(Stopping { exit, since, unready_since });
            }
            is_first
        })
    }

    /// Becomes unready and asks the job to finish what is in flight; returns whether this was the
    /// first request.
    pub(crate) fn drain(&self, since: Instant) -> bool {
        self.health.become_unready();
        self.phase.send_if_modified(|phase| {
            let is_first = *phase == Phase::Running;
            if is_first {
                *phase = Phase::Draining { since };
            }
            is_first
        })
    }
}

/// A job's view of its own life, and its requests about it
#[derive(Clone)]
pub struct Lifecycle {
    control: Control,
    tasks: TaskTracker,
    fatal: mpsc::UnboundedSender<End>,
    drain_delay: Duration,
    shutdown_timeout: Duration,
}

impl Lifecycle {
    /// Resolves at the first stop signal (or `POST /quit`, or the app's end) to the exit that the
    /// job should return: `Stopped` for a task, because its work is unfinished; `Done` for a
    /// sidecar, after it has drained.
    pub async fn stop_requested(&self) -> Exit {
        self.stopping().await.exit
    }

    /// Resolves when a sidecar must take no new work: at the stop signal, but not before `/readyz`
    /// has been 503 for `--drain-delay`, because others need that time to notice.
    pub async fn refuse_new_work(&self) -> Exit {
        let Stopping { exit, unready_since, .. } = self.stopping().await;
        // Counted from that time, because a loop calls this again at each turn.
        time::sleep_until((unready_since + self.drain_delay).into()).await;
        exit
    }

    /// How long a sidecar goes on serving after `/readyz` has turned 503.
    pub fn drain_delay(&self) -> Duration {
        self.drain_delay
    }

    /// Resolves half a second before a stop's deadline, so that the job can save its progress and
    /// report undelivered work.
    pub async fn deadline_near(&self) {
        let Stopping { since, .. } = self.stopping().await;
        let last_moment = LAST_MOMENT.min(self.shutdown_timeout / 4);
        time::sleep_until((since + self.shutdown_timeout.saturating_sub(last_moment)).into()).await;
    }

    /// Whether a stop was requested.
    pub fn is_stopping(&self) -> bool {
        self.control.phase.borrow().is_stopping()
    }

    /// Whether something looks for the app's end: `--exit-with-file` or `--exit-with-process`.
    pub fn watches_app(&self) -> bool {
        *self.control.app_end.borrow() != AppEnd::NotWatched
    }

    /// Resolves once the app's end has been seen, before or after a stop signal; never where nothing looks for it.
    pub async fn app_gone(&self) {
        let mut app_end = self.control.app_end.subscribe();
        if app_end.wait_for(|end| *end == AppEnd::Seen).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn stopping(&self) -> Stopping {
        let mut phase = self.control.phase.subscribe();
        loop {
            if let Phase::Stopping(stopping) = *phase.borrow_and_update() {
                return stopping;
            }
            if phase.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Resolves when the job should finish the work in flight: at `POST /drain` or at the stop
    /// signal.
    pub async fn drain_requested(&self) {
        let mut phase = self.control.phase.subscribe();
        if phase.wait_for(|phase| *phase != Phase::Running).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Counts SIGHUPs: a change asks for a reload.
    pub fn hangups(&self) -> watch::Receiver<u64> {
        self.control.reloads.subscribe()
    }

    /// Runs a task beside the job. The helper ends only after it; a panic ends this task alone.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// Runs a loop that the helper cannot work without. It must beat at least once every `bound`,
    /// else `/livez` turns 503. Its error ends the helper. Its panic, and its return before a stop
    /// was requested, end the helper with exit code 70, unless the loop has called
    /// [`Heartbeat::retire`].
    pub fn vital<F>(&self, name: impl Into<Cow<'static, str>>, bound: Duration, work: impl FnOnce(Heartbeat) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let name = name.into();
        let heartbeat = self.control.health.heartbeat(name.clone(), bound);
        let retired = heartbeat.retired();
        let work = self.tasks.spawn(work(heartbeat));
        let (fatal, phase) = (self.fatal.clone(), self.control.phase.clone());
        self.tasks.spawn(async move {
            let end = match work.await {
                Ok(Err(error)) => End { what: Some(name.into()), ..error.into() },
                Err(failed) if failed.is_panic() => panicked(&name, &*failed.into_panic()),
                Ok(Ok(())) if !retired.load(Relaxed) && !phase.borrow().is_stopping() => {
                    let last = Some("this loop returned before a stop was requested".into());
                    End { what: Some(name.into()), last, ..Exit::Bug.into() }
                }
                Ok(Ok(())) | Err(_) => return,
            };
            // The receiver is gone only when the helper is ending anyhow.
            let _ = fatal.send(end);
        });
    }

    /// Runs a vital loop on a thread and a single-threaded runtime of its own, for work whose parts
    /// cannot move from thread to thread. All rules of [`Lifecycle::vital`] hold.
    pub fn worker<W, F>(&self, name: &'static str, bound: Duration, work: W) -> anyhow::Result<()>
    where
        W: FnOnce(Heartbeat) -> F + Send + 'static,
        F: Future<Output = anyhow::Result<()>> + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, ended) = oneshot::channel();
        let (heartbeats, heartbeat) = std::sync::mpsc::channel();
        let run = move || {
            let Ok(heartbeat) = heartbeat.recv() else { return };
            let tasks = task::LocalSet::new();
            let end = panic::catch_unwind(AssertUnwindSafe(|| tasks.block_on(&runtime, work(heartbeat))));
            drop(tasks);
            runtime.shutdown_background();
            let _ = sender.send(end);
        };
        thread::Builder::new().name(name.into()).spawn(run).context("cannot start a worker's thread")?;
        self.vital(name, bound, |heartbeat| {
            let _ = heartbeats.send(heartbeat);
            async {
                match ended.await.context("a worker's thread has gone")? {
                    Ok(end) => end,
                    Err(panic) => panic::resume_unwind(panic),
                }
            }
        });
        Ok(())
    }

    /// A check of `/readyz` that fails until it is released; to be taken before `started`. Its name is public.
    pub fn hold(&self, name: impl Into<Cow<'static, str>>) -> Hold {
        self.control.health.hold(name.into())
    }

    /// The first good result is there: `/startupz` is 200 from here on, and `/readyz` once no hold
    /// is left.
    pub fn started(&self) {
        self.control.health.started();
    }

    /// A counter of things that a stop must still deliver.
    pub fn pending(&self, unit: &'static str) -> Pending {
        self.control.health.pending(unit)
    }

    /// Answers `GET` and `HEAD` of `/metrics` and `/debug/…` on the health listener from now on, on the job's runtime, until
    /// the end of a drain. Without this call `/metrics` is the registry in text format. `answer` gets the request's head; its
    /// future is dropped when the scraper hangs up, and shortly before a stop's deadline. The status is 503 for the seventeenth
    /// request in flight, for a job that does not take the request within 5 s, and for an answer that takes more than 65 s.
    ///
    /// # Panics
    /// When it is called a second time.
    pub fn serve_pages<F>(&self, answer: impl Fn(Request<()>) -> F + Send + 'static)
    where
        F: Future<Output = Response<Vec<u8>>> + Send + 'static,
    {
        let life = self.clone();
        let deadline_near = move || {
            let life = life.clone();
            async move { life.deadline_near().await }
        };
        self.control.pages.serve(self.tasks.clone(), deadline_near, answer);
    }

    /// The registry for the job's metrics.
    pub fn metrics(&self) -> &Registry {
        &self.control.registry
    }

    /// Adds metrics that this function writes behind those of the registry whenever the page is asked for, in the text format. A
    /// registry makes half a kilobyte of each series, and there may be tens of thousands.
    pub fn write_metrics(&self, writer: impl Fn(&mut String) + Send + Sync + 'static) {
        self.control.writers.add(Box::new(writer));
    }

    /// Whether a person reads the log: stderr is a terminal, and the log is text at level info or
    /// finer.
    pub fn on_terminal(&self) -> bool {
        self.control.on_terminal
    }

    /// A job's view of the life that `control` steers, and the receiver of the failures that end
    /// it.
    pub(crate) fn new(
        control: Control,
        drain_delay: Duration,
        shutdown_timeout: Duration,
    ) -> (Self, mpsc::UnboundedReceiver<End>) {
        let (fatal, failures) = mpsc::unbounded_channel();
        (Self { control, tasks: TaskTracker::new(), fatal, drain_delay, shutdown_timeout }, failures)
    }

    /// Starts the job on a thread and a runtime of its own; its end arrives as an event.
    pub(crate) fn start<A, F>(
        control: Control,
        drain_delay: Duration,
        shutdown_timeout: Duration,
        args: A,
        job: F,
    ) -> anyhow::Result<()>
    where
        A: Send + 'static,
        F: AsyncFnOnce(A, Self) -> anyhow::Result<End> + Send + 'static,
    {
        let events = control.events.clone();
        let (life, failures) = Self::new(control, drain_delay, shutdown_timeout);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
        let work = move || {
            let end = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(life.run(failures, args, job))));
            // Not dropped, because that would wait for name lookups, which cannot be cancelled.
            runtime.shutdown_background();
            let _ = events.send(Event::Ended(end.unwrap_or_else(|panic| panicked("job", &*panic))));
        };
        thread::Builder::new().name("job".into()).spawn(work).context("cannot start the job's thread")?;
        Ok(())
    }

    /// Runs the job, then waits for every task that it has spawned. A vital loop that fails ends
    /// both. A job that returns without an error releases everything that waits for a stop.
    pub(crate) async fn run<A, F>(self, mut failures: mpsc::UnboundedReceiver<End>, args: A, job: F) -> End
    where
        F: AsyncFnOnce(A, Self) -> anyhow::Result<End>,
    {
        let (tasks, control) = (self.tasks.clone(), self.control.clone());
        let whole = async {
            let end = match job(args, self).await {
                Ok(end) => end,
                // Its tasks may wait for a stop that will not come.
                Err(error) => return error.into(),
            };
            control.stop(end.exit, Instant::now());
            let _ = control.events.send(Event::Returned);
            tasks.close();
            tasks.wait().await;
            end
        };
        tokio::select! {
            biased;
            Some(failure) = failures.recv() => failure,
            end = whole => end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_life::TestLife;

    #[tokio::test]
    async fn a_task_that_panics_costs_itself_alone() {
        let life = TestLife::sidecar();
        let end = life.run((), async |(), life| {
            life.spawn(async { panic!("one connection") });
            life.spawn(async { tokio::task::yield_now().await });
            Ok(Exit::Done.into())
        });
        assert_eq!(end.await.exit, Exit::Done);
    }

    #[tokio::test]
    async fn a_job_that_fails_waits_for_none_of_its_tasks() {
        let life = TestLife::sidecar();
        let end = life.run((), async |(), life| {
            life.spawn(std::future::pending());
            Err(Exit::Usage.because("no target"))
        });
        assert_eq!(end.await.exit, Exit::Usage);
    }

    #[tokio::test]
    async fn a_job_that_returns_releases_what_waits_for_a_stop() {
        let life = TestLife::sidecar();
        let end = life.run((), async |(), life| {
            let (waiting, closing, beating) = (life.clone(), life.clone(), life.clone());
            life.spawn(async move {
                waiting.stop_requested().await;
            });
            life.spawn(async move {
                closing.refuse_new_work().await;
            });
            life.vital("tail", Duration::from_secs(1), |_heartbeat| async move {
                beating.drain_requested().await;
                Ok(())
            });
            Ok(Exit::Done.into())
        });
        assert_eq!(end.await.exit, Exit::Done);
    }

    #[tokio::test]
    async fn a_vital_loop_that_fails_ends_the_job_and_is_named() {
        let life = TestLife::sidecar();
        let end = life.run((), async |(), life| {
            life.vital("tail", Duration::from_secs(1), |_| async { Err(Exit::Io.because("disk full")) });
            Ok(life.stop_requested().await.into())
        });
        let end = end.await;
        assert_eq!((end.exit, end.what.as_deref(), end.last.as_deref()), (Exit::Io, Some("tail"), Some("disk full")));
    }

    #[tokio::test]
    async fn a_vital_loop_that_returns_before_a_stop_is_a_bug() {
        let life = TestLife::sidecar();
        let end = life.run((), async |(), life| {
            life.vital("tail", Duration::from_secs(1), |_| async { Ok(()) });
            Ok(life.stop_requested().await.into())
        });
        let end = end.await;
        assert_eq!((end.exit, end.what.as_deref()), (Exit::Bug, Some("tail")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_vital_loop_that_has_retired_may_return() {
        let life = TestLife::sidecar();
        let end = life.run((), async |(), life| {
            life.vital("courier", Duration::from_secs(1), |heartbeat| async move {
                heartbeat.retire();
                Ok(())
            });
            Ok(life.stop_requested().await.into())
        });
        let stop = async {
            time::sleep(Duration::from_secs(1)).await;
            life.request_stop();
        };
        assert_eq!(tokio::join!(end, stop).0.exit, Exit::Done);
    }

    #[tokio::test(start_paused = true)]
    async fn the_job_closes_a_delay_after_it_became_unready_and_ends_after_its_tasks() {
        let life = TestLife::sidecar().with_drain_delay(Duration::from_secs(5));
        let start = time::Instant::now();
        let end = life.run((), async |(), life| {
            let busy = life.clone();
            life.spawn(async move {
                busy.refuse_new_work().await;
                // As in a loop: asking again does not begin the delay again.
                busy.refuse_new_work().await;
                time::sleep(Duration::from_secs(2)).await;
            });
            Ok(life.stop_requested().await.into())
        });
        let stop = async {
            time::sleep(Duration::from_secs(1)).await;
            life.request_drain();
            time::sleep(Duration::from_secs(1)).await;
            life.request_stop();
        };
        let (end, ()) = tokio::join!(end, stop);
        assert_eq!((end.exit, start.elapsed().as_secs()), (Exit::Done, 8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_long_after_a_drain_has_no_delay() {
        let life = TestLife::sidecar().with_drain_delay(Duration::from_secs(5));
        let start = time::Instant::now();
        let end = life.run((), async |(), life| Ok(life.refuse_new_work().await.into()));
        let stop = async {
            life.request_drain();
            time::sleep(Duration::from_secs(10)).await;
            life.request_stop();
        };
        let (end, ()) = tokio::join!(end, stop);
        assert_eq!((end.exit, start.elapsed().as_secs()), (Exit::Done, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_is_left_before_the_deadline() {
        let since = time::Instant::now();
        let life = TestLife::sidecar();
        life.request_stop();
        let end = life.run((), async |(), life| {
            life.deadline_near().await;
            Ok(Exit::Unfinished.into())
        });
        assert_eq!((end.await.exit, since.elapsed().as_millis()), (Exit::Unfinished, 24_500));
    }

    #[tokio::test]
    async fn draining_is_heard_at_a_drain_and_at_a_stop() {
        for ask in [TestLife::request_drain, TestLife::request_stop] {
            let life = TestLife::task();
            let end = life.run((), async |(), life| {
                life.drain_requested().await;
                Ok(Exit::Done.into())
            });
            let (end, ()) = tokio::join!(end, async { ask(&life) });
            assert_eq!(end.exit, Exit::Done);
        }
    }
}
