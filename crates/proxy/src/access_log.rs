//! The access log: lines on stdout, by a thread of its own behind a bounded queue. The settings decide which requests get a line.

pub(crate) mod line;
mod tls_fields;

use std::{
    convert::Infallible,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use anyhow::Context;
use clap::ValueEnum;
use lifecycle::Lifecycle;
use prometheus::IntCounter;
use tokio::{
    sync::{mpsc, oneshot},
    time,
};

use crate::access_log::line::{Entry, Outcome};

/// Lines that wait for the reader of stdout
const QUEUE: usize = 4096;
/// Bytes of these lines: clients choose how long their targets are
const QUEUE_BYTES: usize = 1024 * 1024;
/// How long the end of the proxy waits for a reader of stdout
const LAST_LINES: Duration = Duration::from_secs(1);

/// Which requests get a line, and in which form
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Access log")]
#[expect(clippy::struct_field_names, reason = "clap names flags after fields")]
pub(crate) struct Settings {
    /// Write a line for each request to stdout
    #[arg(long, value_enum, default_value_t = Form::Off)]
    pub(crate) access_log: Form,
    /// Write the line of one request in COUNT, chosen at random, and of each request that failed
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) access_log_sample: Option<u32>,
    /// Write the line of each request that took this long or failed; with --access-log-sample also one in COUNT of the others
    #[arg(long, value_name = "DURATION", value_parser = lifecycle::duration)]
    pub(crate) access_log_slow: Option<Duration>,
}

/// The form of a line
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// No access log
    Off,
    /// A JSON object a line, its fields named as OpenTelemetry names attributes
    Json,
    /// The combined format of Apache and nginx
    Combined,
}

/// The queue to stdout; each worker has a clone
#[derive(Clone)]
pub(crate) struct AccessLog {
    lines: SyncSender<String>,
    /// Bytes in the queue
    queued: Arc<AtomicUsize>,
    dropped: IntCounter,
    settings: Settings,
    /// Closed with the last clone
    _open: mpsc::Sender<Infallible>,
}

impl AccessLog {
    /// Starts the thread; nothing if the log is off. The helper ends after the last line, but does not wait long for its reader.
    pub(crate) fn start(settings: Settings, dropped: IntCounter, life: &Lifecycle) -> anyhow::Result<Option<Self>> {
        if settings.access_log == Form::Off {
            return Ok(None);
        }
        let (lines, received) = sync_channel(QUEUE);
        let queued = Arc::new(AtomicUsize::new(0));
        let (open, mut closed) = mpsc::channel(1);
        let (written, all_written) = oneshot::channel();
        let log = Self { lines, queued: queued.clone(), dropped, settings, _open: open };
        let write = move || {
            write_out(&received, &queued);
            let _ = written.send(());
        };
        thread::Builder::new()
            .name("access-log".into())
            .spawn(write)
            .context("cannot start the access log's thread")?;
        life.spawn(async move {
            closed.recv().await;
            let _ = time::timeout(LAST_LINES, all_written).await;
        });
        Ok(Some(log))
    }

    /// Writes the line of a request that has ended, if it gets one. A line for which the queue has no room is counted.
    pub(crate) fn write(&self, entry: &Entry, outcome: &Outcome) {
        if !self.settings.is_due(outcome, |count| fastrand::u32(..count)) {
            return;
        }
        let line = match self.settings.access_log {
            Form::Json => entry.json(outcome),
            _ => entry.combined(outcome),
        };
        let length = line.len();
        let has_room = self.queued.fetch_add(length, Relaxed) + length <= QUEUE_BYTES;
        if !has_room || self.lines.try_send(line).is_err() {
            self.queued.fetch_sub(length, Relaxed);
            self.dropped.inc();
        }
    }
}

impl Settings {
    /// Whether a request gets a line; `chance` is a random number below the one that it gets.
    fn is_due(&self, outcome: &Outcome, chance: impl FnOnce(u32) -> u32) -> bool {
        let is_slow = self.access_log_slow.is_some_and(|slow| outcome.elapsed >= slow);
        let is_chosen = match self.access_log_sample {
            Some(count) => chance(count) == 0,
            None => self.access_log_slow.is_none(),
        };
        is_slow || outcome.has_failed() || is_chosen
    }
}

/// Writes lines as they come, several at once where several wait. Ends with the last worker.
fn write_out(lines: &Receiver<String>, queued: &AtomicUsize) {
    let mut stdout = io::stdout().lock();
    while let Ok(line) = lines.recv() {
        let mut text = line;
        text.extend(lines.try_iter().take(QUEUE));
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        queued.fetch_sub(text.len(), Relaxed);
        if written.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::refusal::{Refusal, fault::Fault};

    #[test]
    fn which_requests_get_a_line() {
        let settings = |sample, slow: Option<u64>| Settings {
            access_log: Form::Json,
            access_log_sample: sample,
            access_log_slow: slow.map(Duration::from_millis),
        };
        let outcome = |status, milliseconds, fault| Outcome {
            elapsed: Duration::from_millis(milliseconds),
            fault,
            ..Outcome::new(StatusCode::from_u16(status).unwrap())
        };
        let (good, slow, broken) = (outcome(200, 1, None), outcome(200, 500, None), outcome(500, 1, None));
        let refused = outcome(400, 1, Some(Fault::Refused(Refusal::NoHost)));
        for (sample, slower_than, due) in [
            (None, None, [true, true]),
            (Some(3), None, [true, false]),
            (None, Some(100), [false, false]),
            (Some(3), Some(100), [true, false]),
        ] {
            let settings = settings(sample, slower_than);
            let of = |outcome, chosen| settings.is_due(outcome, |count| if chosen { 0 } else { count - 1 });
            assert_eq!([of(&good, true), of(&good, false)], due, "{settings:?}");
            let is_slow_due = slower_than.is_some() || sample.is_none();
            assert_eq!(of(&slow, false), is_slow_due, "{settings:?}");
            assert!(of(&broken, false) && of(&refused, false), "{settings:?}");
        }
    }
}
