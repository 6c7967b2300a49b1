//! A life without a process, for tests that run a job in process.

use std::{
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use tokio::time;

use crate::{
    event::Event,
    exit::{End, Exit},
    job::{Control, Lifecycle},
    signal::Signal,
};

/// The default of `--shutdown-timeout`
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

/// A life that a test steers: it runs a job as `main` does, without signals, listeners or an exit of the process.
/// Delays count on tokio's clock, so that tests may pause it.
pub struct TestLife {
    control: Control,
    /// The exit that the kind of helper owes for a stop
    owed: Exit,
    drain_delay: Duration,
    /// Kept so that events have a receiver
    _events: Receiver<Event>,
}

impl TestLife {
    /// The life of a task: a stop leaves its work undone.
    pub fn task() -> Self {
        Self::new(Exit::Stopped(Signal::Term))
    }

    /// The life of a sidecar: a stop lets it drain.
    pub fn sidecar() -> Self {
        Self::new(Exit::Done)
    }

    fn new(owed: Exit) -> Self {
        let (sender, events) = mpsc::channel();
        Self { control: Control::new(sender, false), owed, drain_delay: Duration::ZERO, _events: events }
    }

    /// The same with this `--drain-delay`.
    #[must_use]
    pub fn with_drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Runs a job, and the tasks that it spawns, to their end.
    pub async fn run<A, F>(&self, args: A, job: F) -> End
    where
        F: AsyncFnOnce(A, Lifecycle) -> anyhow::Result<End>,
    {
        let (life, failures) = Lifecycle::new(self.control.clone(), self.drain_delay, SHUTDOWN_TIMEOUT);
        life.run(failures, args, job).await
    }

    /// Asks for a stop, as a stop signal does.
    pub fn request_stop(&self) {
        self.control.stop(self.owed, time::Instant::now().into_std());
    }

    /// What `POST /drain` does.
    pub fn request_drain(&self) {
        self.control.drain(time::Instant::now().into_std());
    }

    /// What SIGHUP does.
    pub fn request_reload(&self) {
        self.control.reloads.send_modify(|count| *count += 1);
    }
}
