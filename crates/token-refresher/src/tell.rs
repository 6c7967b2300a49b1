//! Tells the app of each new value, one loop a way: a way that fails delays neither the others nor a refresh.

pub(crate) mod entry;
mod method;
pub(crate) mod metrics;
mod process;
mod request;
mod request_url;
mod signal;
mod signal_name;
mod statuses;
mod touch;
pub(crate) mod way;

use std::time::{Duration, Instant};

use lifecycle::{Backoff, Lifecycle, LogThrottle, format_duration};
use tokio::{sync::watch, time};

use self::{
    metrics::{Series, TellMetrics},
    way::Way,
};

/// The shortest and the longest pause after a failure. An app that starts is told soon after, and one that is gone costs little.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Each way has a deadline of its own. This one is for a volume that keeps several of them waiting.
const LIMIT: Duration = Duration::from_secs(60);

/// All ways in which the app is told of one secret. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Tell(watch::Sender<u64>);

impl Tell {
    /// Starts a loop for each way.
    pub(crate) fn start(secret: &str, ways: Vec<Way>, metrics: &TellMetrics, life: &Lifecycle) -> Self {
        let values = watch::Sender::new(0);
        for way in ways {
            let series = metrics.series(secret, way.name());
            let teller = Teller { secret: secret.to_owned(), way, series, throttle: LogThrottle::default() };
            let (loop_life, newest) = (life.clone(), values.subscribe());
            life.spawn(async move {
                tokio::select! {
                    _ = loop_life.stop_requested() => {}
                    () = teller.run(newest) => {}
                }
            });
        }
        Self(values)
    }

    /// A new value is in place. It takes the place of one that the app was not told of yet.
    pub(crate) fn announce(&self) {
        self.0.send_modify(|value| *value += 1);
    }
}

/// One way of one secret
struct Teller {
    secret: String,
    way: Way,
    series: Series,
    throttle: LogThrottle,
}

impl Teller {
    /// Tells of the newest value until that has succeeded, and then waits for the next one.
    async fn run(mut self, mut newest: watch::Receiver<u64>) {
        let mut backoff = Backoff::new(PAUSE.0, PAUSE.1);
        while newest.changed().await.is_ok() {
            self.series.untold.inc();
            loop {
                newest.borrow_and_update();
                let result = time::timeout(LIMIT, self.way.tell()).await;
                if self
                    .record(result.unwrap_or_else(|_| Err(format!("it took longer than {}", format_duration(LIMIT)))))
                {
                    backoff.reset();
                    // The app may not have seen a value that came in the meantime.
                    if newest.has_changed().unwrap_or(false) {
                        continue;
                    }
                    break;
                }
                tokio::select! {
                    () = time::sleep(backoff.next(fastrand::f64())) => {}
                    changed = newest.changed() => match changed {
                        Ok(()) => backoff.reset(),
                        Err(_) => break,
                    }
                }
            }
            self.series.untold.dec();
        }
    }

    /// Counts and logs the result of an attempt; returns whether the app was told.
    fn record(&mut self, result: Result<(), String>) -> bool {
        let (secret, way) = (&self.secret, self.way.label());
        match result {
            Ok(()) => {
                self.series.told.inc();
                self.throttle.settle();
                tracing::info!(secret, way, "told the app");
                true
            }
            Err(reason) => {
                self.series.failed.inc();
                if self.throttle.is_due(&reason, Instant::now()) {
                    tracing::warn!(secret, way, reason, "cannot tell the app yet");
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
