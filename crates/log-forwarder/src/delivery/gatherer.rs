//! Gathers batches: an output gets the next one once enough bytes wait for it, or once the first of
//! them have waited long enough.

use std::time::{Duration, Instant};

use tokio::{sync::watch, time};

use crate::{
    files::{
        follower::{Shared, lock},
        known::OutputId,
    },
    outputs::Output,
    records::{batch::Batch, growing::Growing},
    watch::signal::Signal,
};

/// Gathers batches for one output
pub(crate) struct Gatherer {
    pub(crate) follower: Shared,
    pub(crate) output: OutputId,
    pub(crate) signal: watch::Receiver<Signal>,
    /// The time that the first line waits for others, because a receiver pays for each request
    pub(crate) linger: Duration,
    /// The lines that wait
    pub(crate) batch: Growing,
}

impl Gatherer {
    /// Waits for the next batch; `None` when all is over.
    pub(crate) async fn next(&mut self, output: &mut dyn Output) -> Option<Batch> {
        loop {
            let is_stopping = self.signal.borrow_and_update().stopping;
            let rest = self.gather(output);
            if (rest.is_zero() || is_stopping)
                && let Some(batch) = self.batch.take()
            {
                return Some(batch);
            }
            tokio::select! {
                changed = self.signal.changed() => changed.ok()?,
                () = time::sleep(rest), if !self.batch.is_empty() => {}
            }
        }
    }

    /// Reads what is there. Returns how long it is to wait for more: lines that waited while the last batch was sent wait no more.
    fn gather(&mut self, output: &mut dyn Output) -> Duration {
        let gathers = output.gathers();
        let joins = |first: &_, next: &_| output.joins(first, next);
        let (mut follower, now) = (lock(&self.follower), Instant::now());
        let since = if gathers { follower.set.readable_since(self.output) } else { None };
        follower.gather(self.output, gathers.then_some(&joins), &mut self.batch, now);
        self.batch.waits_since(since);
        if !gathers || follower.is_enough(self.output, &self.batch) {
            return Duration::ZERO;
        }
        let waited = self.batch.since().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.linger.saturating_sub(waited)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        files::follower::tests::with_a_line, own_files::OwnFiles, records::pool::Pool,
        settings::destination::Destination,
    };

    /// How long a line that was seen at this moment waits for others on its way to an output
    fn wait_of_a_line(url: &str, linger: Duration) -> Duration {
        let directory = tempfile::tempdir().unwrap();
        let (follower, output) = with_a_line(directory.path());
        let (_sender, signal) = watch::channel(Signal::default());
        let follower = Arc::new(Mutex::new(follower));
        let mut gatherer = Gatherer { follower, output, signal, linger, batch: Growing::default() };
        let destination: Destination = url.parse().unwrap();
        let mut output = destination.open(&Pool::default(), &OwnFiles::default()).unwrap();
        let wait = gatherer.gather(output.as_mut());
        assert!(!gatherer.batch.is_empty());
        wait
    }

    #[test]
    fn a_line_waits_for_the_linger_where_requests_cost_and_nowhere_else() {
        let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
        let urls = ["http", "elasticsearch+http", "loki+http", "otlp+http", "forward"];
        for url in urls.map(|scheme| format!("{scheme}://127.0.0.1:9/logs")) {
            assert!(wait_of_a_line(&url, hour) + minute > hour, "{url}");
            assert_eq!(wait_of_a_line(&url, Duration::ZERO), Duration::ZERO, "{url}");
        }
        for url in [
            "stdout://",
            "file:///dev/null",
            "tcp://127.0.0.1:9",
            "syslog+tcp://127.0.0.1:9",
            "syslog+udp://127.0.0.1:9",
        ] {
            assert_eq!(wait_of_a_line(url, hour), Duration::ZERO, "{url}");
        }
    }
}
