//! The account of every byte: read = delivered + rejected + dropped + lost + in flight, for each output.

#[cfg(any(test, fuzzing))]
mod sums;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use anyhow::Context;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::{known::OutputId, lag::Lag, loss::LossReason};
use crate::format::amount::{Amount, Tally};

/// The account of every byte, in `/metrics` and in the last line
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// One for each output, in their order; it never gets shorter
    accounts: Arc<Mutex<Vec<Arc<Account>>>>,
    metrics: Arc<Metrics>,
    pub(crate) lag: Lag,
    pub(crate) pinned: IntGauge,
    pub(crate) open_files: IntGauge,
    pub(crate) waiting: IntGauge,
    pub(crate) ignored: IntGauge,
    pub(crate) checkpoint_failures: IntCounter,
}

/// The part of one output
#[derive(Debug)]
pub(crate) struct Account {
    label: String,
    read_bytes: IntCounter,
    read_lines: IntCounter,
    delivered_bytes: IntCounter,
    delivered_lines: IntCounter,
    rejected_bytes: IntCounter,
    rejected_lines: IntCounter,
    dropped_bytes: IntCounter,
    dropped_lines: IntCounter,
    lost_bytes: IntCounterVec,
    /// By any reason
    lost_in_all: AtomicU64,
    in_flight_bytes: IntGauge,
    invalid_bytes: IntCounter,
    unparsed: IntCounter,
    pub(crate) redacted: IntCounter,
    pub(crate) retries: IntCounter,
    pub(crate) seconds: Histogram,
}

impl Ledger {
    /// Without accounts
    pub(crate) fn new(registry: &Registry) -> anyhow::Result<Self> {
        let metrics = Metrics::new(registry).context("cannot set up metrics")?.into();
        let gauge = |name: &str, help: &str| registered(registry, IntGauge::new(name, help)?);
        Ok(Self {
            accounts: Arc::default(),
            metrics,
            lag: Lag::default(),
            pinned: gauge("sidekit_log_forwarder_pinned_bytes", "Bytes of deleted files that are held open")?,
            open_files: gauge("sidekit_log_forwarder_files", "Files that are held open")?,
            waiting: gauge(
                "sidekit_log_forwarder_files_waiting",
                "Files with unread lines that are not open, because the limit of open files is reached",
            )?,
            ignored: gauge(
                "sidekit_log_forwarder_files_ignored",
                "Files that are not read, because nothing was written to them for --ignore-older",
            )?,
            checkpoint_failures: registered(
                registry,
                IntCounter::new(
                    "sidekit_log_forwarder_checkpoint_failures_total",
                    "Checkpoints that could not be written",
                )?,
            )?,
        })
    }

    /// Opens an account for the next output, which is known by its label. One that had that label before goes on.
    pub(crate) fn open(&self, label: &str) {
        let mut accounts = self.accounts();
        let known = accounts.iter().find(|account| account.label == label).cloned();
        accounts.push(known.unwrap_or_else(|| self.metrics.account(label).into()));
    }

    pub(crate) fn of(&self, output: OutputId) -> Arc<Account> {
        self.accounts()[output.0].clone()
    }

    fn accounts(&self) -> MutexGuard<'_, Vec<Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything was lost or rejected
    pub(crate) fn is_clean(&self) -> bool {
        self.accounts()
            .iter()
            .all(|account| account.lost_in_all.load(Relaxed) == 0 && account.rejected_bytes.get() == 0)
    }

    /// The ledger of all outputs together, as `read=… delivered=… rejected=… dropped=… lost=… in-flight=… lines=…`, in bytes but the last
    pub(crate) fn summary(&self) -> String {
        let mut accounts: Vec<_> = self.accounts().iter().cloned().collect();
        // An output that went and came back has one account in two places.
        accounts.sort_by(|one, other| one.label.cmp(&other.label));
        accounts.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let sum = |value: fn(&Account) -> u64| accounts.iter().map(|account| value(account)).sum::<u64>();
        format!(
            "read={} delivered={} rejected={} dropped={} lost={} in-flight={} lines={}",
            sum(|account| account.read_bytes.get()),
            sum(|account| account.delivered_bytes.get()),
            sum(|account| account.rejected_bytes.get()),
            sum(|account| account.dropped_bytes.get()),
            sum(|account| account.lost_in_all.load(Relaxed)),
            sum(|account| account.in_flight_bytes.get().cast_unsigned()),
            sum(|account| account.delivered_lines.get()),
        )
    }
}

impl Account {
    /// A batch is handed out.
    pub(super) fn read(&self, amount: Amount) {
        self.read_bytes.inc_by(amount.bytes);
        self.read_lines.inc_by(amount.lines);
        self.in_flight_bytes.add(amount.bytes.cast_signed());
    }

    pub(super) fn delivered(&self, amount: Amount) {
        self.delivered_bytes.inc_by(amount.bytes);
        self.delivered_lines.inc_by(amount.lines);
        self.in_flight_bytes.sub(amount.bytes.cast_signed());
    }

    pub(super) fn rejected(&self, amount: Amount) {
        self.rejected_bytes.inc_by(amount.bytes);
        self.rejected_lines.inc_by(amount.lines);
        self.in_flight_bytes.sub(amount.bytes.cast_signed());
    }

    /// Filters keep these records from the output.
    pub(super) fn dropped(&self, amount: Amount) {
        self.dropped_bytes.inc_by(amount.bytes);
        self.dropped_lines.inc_by(amount.lines);
        self.in_flight_bytes.sub(amount.bytes.cast_signed());
    }

    /// A batch that is not delivered any more, because its output was removed.
    pub(super) fn abandoned(&self, amount: Amount) {
        self.in_flight_bytes.sub(amount.bytes.cast_signed());
        self.count_lost(amount.bytes, LossReason::OutputRemoved);
    }

    /// Counts the defects of records that are delivered or refused.
    pub(crate) fn count_defects(&self, tally: Tally) {
        self.invalid_bytes.inc_by(tally.invalid_bytes);
        self.unparsed.inc_by(tally.unparsed);
        self.redacted.inc_by(tally.redacted);
    }

    /// Lost bytes. Those that were never read count as read, so that the ledger adds up.
    pub(super) fn lost(&self, bytes: u64, reason: LossReason) {
        self.read_bytes.inc_by(bytes);
        self.count_lost(bytes, reason);
    }

    fn count_lost(&self, bytes: u64, reason: LossReason) {
        self.lost_in_all.fetch_add(bytes, Relaxed);
        self.lost_bytes.with_label_values(&[self.label.as_str(), reason.as_str()]).inc_by(bytes);
    }
}

/// The metrics of all outputs
#[derive(Debug)]
struct Metrics {
    /// As [`COUNTERS`] names them
    counters: Vec<IntCounterVec>,
    lost: IntCounterVec,
    in_flight: IntGaugeVec,
    seconds: HistogramVec,
}

/// The counters of each output, and their meanings
const COUNTERS: [(&str, &str); 12] = [
    ("read_bytes", "Bytes of files that are settled or in flight"),
    ("read_lines", "Lines of files that were read"),
    ("delivered_bytes", "Bytes of files that the output has acknowledged"),
    ("delivered_lines", "Lines that the output has acknowledged"),
    ("rejected_bytes", "Bytes of lines that the output has refused for good"),
    ("rejected_lines", "Lines that the output has refused for good"),
    ("dropped_bytes", "Bytes of lines that filters such as --drop keep from the output"),
    ("dropped_lines", "Lines that filters such as --drop keep from the output"),
    ("retries", "Attempts at a batch after a first one"),
    ("invalid_bytes", "Bytes that are no text, and were replaced in what was delivered"),
    (
        "unparsed_records",
        "Records that are not what --format says, or lack the time that --time-key or --time-format names, and were delivered as they are",
    ),
    ("redacted_records", "Records in which --redact has hidden something"),
];

/// Seconds of an attempt: from a collector beside the pod to one that times out
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0];

impl Metrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let by_output = |(name, help): (&str, &str)| {
            let name = format!("sidekit_log_forwarder_{name}_total");
            registered(registry, IntCounterVec::new(Opts::new(name, help), &["output"])?)
        };
        let counters = COUNTERS.iter().map(|about| by_output(*about)).collect::<Result<Vec<_>, _>>()?;
        let lost =
            Opts::new("sidekit_log_forwarder_lost_bytes_total", "Bytes of files that are not delivered, by reason");
        let in_flight = Opts::new("sidekit_log_forwarder_in_flight_bytes", "Bytes that are read and not yet settled");
        let seconds = HistogramOpts::new("sidekit_log_forwarder_delivery_seconds", "Seconds of an attempt at a batch");
        let seconds = HistogramVec::new(seconds.buckets(BUCKETS.to_vec()), &["output"])?;
        Ok(Self {
            counters,
            lost: registered(registry, IntCounterVec::new(lost, &["output", "reason"])?)?,
            in_flight: registered(registry, IntGaugeVec::new(in_flight, &["output"])?)?,
            seconds: registered(registry, seconds)?,
        })
    }

    fn account(&self, output: &str) -> Account {
        let counter = |nth: usize| self.counters[nth].with_label_values(&[output]);
        Account {
            label: output.to_owned(),
            read_bytes: counter(0),
            read_lines: counter(1),
            delivered_bytes: counter(2),
            delivered_lines: counter(3),
            rejected_bytes: counter(4),
            rejected_lines: counter(5),
            dropped_bytes: counter(6),
            dropped_lines: counter(7),
            lost_bytes: self.lost.clone(),
            lost_in_all: AtomicU64::new(0),
            in_flight_bytes: self.in_flight.with_label_values(&[output]),
            retries: counter(8),
            invalid_bytes: counter(9),
            unparsed: counter(10),
            redacted: counter(11),
            seconds: self.seconds.with_label_values(&[output]),
        }
    }
}

fn registered<M: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: M,
) -> prometheus::Result<M> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
