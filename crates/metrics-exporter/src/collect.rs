//! The exporter's own measurements: one file for each collector, which reads below `Roots`.
//!
//! A system call on a dead file server or a hung procfs never returns. Collectors therefore read on a blocking thread, and the
//! scrape waits for each only until a deadline. They read in turn on one thread, because switches between threads would cost
//! more CPU than the reading; when one of them takes long, the others continue on threads of their own. A collector that hangs
//! holds one thread, costs its own series only, and is asked again once it has returned.

pub(crate) mod bytes;
pub(crate) mod cgroup;
pub(crate) mod collected;
pub(crate) mod collector;
pub(crate) mod fault;
pub(crate) mod kept_file;
pub(crate) mod metric;
pub(crate) mod mount_table;
pub(crate) mod network;
pub(crate) mod number;
pub(crate) mod processes;
pub(crate) mod roots;
pub(crate) mod textfile;
mod turn;
pub(crate) mod volumes;

use std::{
    cmp,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::Mutex,
    task,
    time::{Instant, timeout_at},
};

use crate::{
    collect::{
        collected::{Collected, Labels},
        collector::{Collector, Instrument},
        fault::CollectFault,
        metric::Metric,
        roots::Roots,
        turn::{Awaited, Turn},
    },
    exposition::model::Kind,
};

/// The longest time that collectors wait for their turn on the shared thread. All of them together take some milliseconds.
const PATIENCE: Duration = Duration::from_millis(50);

/// The collectors' own metrics
pub(crate) const METRICS: &[Metric] = &[SUCCESS, DURATION, UNREADABLE];

const SUCCESS: Metric = Metric {
    name: "sidekit_metrics_exporter_collector_success",
    kind: Kind::Gauge,
    unit: "",
    help: "Whether the collector answered this scrape",
    labels: &["collector"],
};
const DURATION: Metric = Metric {
    name: "sidekit_metrics_exporter_collector_duration_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    help: "How long this scrape waited for the collector",
    labels: &["collector"],
};
const UNREADABLE: Metric = Metric {
    name: "sidekit_metrics_exporter_collector_unreadable",
    kind: Kind::Gauge,
    unit: "",
    help: "1 for a file, or for a collector as a whole, that gave no series to this scrape, with the reason",
    labels: &["collector", "file", "reason"],
};

/// The collectors that `--collect` names, each with the state that it keeps between scrapes
#[derive(Debug)]
pub(crate) struct Collectors(Vec<Slot>);

/// A collector, of which only one reading runs at a time
#[derive(Debug)]
struct Slot {
    collector: Collector,
    /// Locked by the thread that reads
    instrument: Arc<Mutex<Instrument>>,
    /// True when the last reading missed its deadline; that reading may have returned since
    was_late: AtomicBool,
}

/// The request of one round to a collector
#[derive(Debug)]
enum Question {
    Asked(Awaited),
    /// The collector still reads for an earlier round, whose scraper has hung up.
    Busy,
    /// The collector still reads for an earlier round, in which it was late.
    Hanging,
}

/// The result of a collector in one round
#[derive(Debug)]
struct Outcome {
    collector: Collector,
    result: Result<Collected, CollectFault>,
    duration: Duration,
}

impl Collectors {
    pub(crate) fn new(
        collectors: &[Collector],
        roots: &Roots,
        textfile_directories: &[PathBuf],
        memory: usize,
    ) -> Self {
        let slot =
            |collector: &Collector| Slot::new(*collector, collector.instrument(roots, textfile_directories, memory));
        Self(collectors.iter().map(slot).collect())
    }

    /// Runs all collectors, and waits for each until the deadline. Returns their series and the collectors' own metrics.
    pub(crate) async fn collect(&self, deadline: Instant) -> Collected {
        let begin = Instant::now();
        let questions: Vec<_> = self.0.iter().map(Slot::ask).collect();
        let turns: Vec<_> = questions.iter().filter_map(Question::turn).collect();
        let reading = task::spawn_blocking(move || turns.iter().for_each(Turn::read));
        let patience = cmp::min(PATIENCE, deadline.saturating_duration_since(begin) / 4);
        // The result does not matter, because the task may end with a panic: the answers and the remaining turns show how far
        // it came.
        let _ = timeout_at(begin + patience, reading).await;
        let outcomes =
            join_all(self.0.iter().zip(questions).map(|(slot, question)| slot.collect(question, begin, deadline)));
        all_of(outcomes.await)
    }

    /// The metrics of a scrape that could wait for no collector.
    pub(crate) fn late(&self, duration: Duration) -> Collected {
        let outcome = |slot: &Slot| Outcome { collector: slot.collector, result: Err(CollectFault::Late), duration };
        all_of(self.0.iter().map(outcome))
    }
}

impl Slot {
    fn new(collector: Collector, instrument: Instrument) -> Self {
        Self { collector, instrument: Arc::new(Mutex::new(instrument)), was_late: AtomicBool::new(false) }
    }

    /// Starts a reading. A reading for a scraper that has hung up may still run: the new one waits for its end, unless it was
    /// late.
    fn ask(&self) -> Question {
        match Arc::clone(&self.instrument).try_lock_owned() {
            Ok(instrument) => Question::Asked(Awaited::new(instrument)),
            Err(_) if self.was_late.load(Ordering::Relaxed) => Question::Hanging,
            Err(_) => Question::Busy,
        }
    }

    async fn collect(&self, question: Question, begin: Instant, deadline: Instant) -> Outcome {
        let answer = timeout_at(deadline, self.answer(question, deadline)).await;
        let answer = answer.unwrap_or(Err(CollectFault::Late));
        self.was_late.store(matches!(answer, Err(CollectFault::Late | CollectFault::Hanging)), Ordering::Relaxed);
        let (result, duration) = match answer {
            Ok((collected, duration)) => (Ok(collected), duration),
            Err(fault) => (Err(fault), begin.elapsed()),
        };
        Outcome { collector: self.collector, result, duration }
    }

    async fn answer(&self, question: Question, deadline: Instant) -> Result<(Collected, Duration), CollectFault> {
        let awaited = match question {
            Question::Asked(awaited) => awaited,
            Question::Busy => Awaited::new(Arc::clone(&self.instrument).lock_owned().await),
            Question::Hanging => return Err(CollectFault::Hanging),
        };
        let (reading, duration) = awaited.answer().await?;
        let begin = Instant::now();
        let collected = reading.finish(deadline).await;
        Ok((collected, duration + begin.elapsed()))
    }
}

impl Question {
    fn turn(&self) -> Option<Turn> {
        match self {
            Self::Asked(awaited) => Some(awaited.turn()),
            Self::Busy | Self::Hanging => None,
        }
    }
}

impl Outcome {
    fn add_to(self, all: &mut Collected) {
        let labels = Labels::new([("collector", self.collector.name())]);
        all.push(&SUCCESS, &labels, f64::from(u8::from(self.result.is_ok())));
        all.push(&DURATION, &labels, self.duration.as_secs_f64());
        match self.result {
            Ok(collected) => {
                for place in &collected.unreadable {
                    unreadable(self.collector, place.file, place.reason, all);
                }
                all.absorb(collected);
            }
            Err(fault) => unreadable(self.collector, fault.file(), fault.reason(), all),
        }
    }
}

fn all_of(outcomes: impl IntoIterator<Item = Outcome>) -> Collected {
    let mut all = Collected::default();
    for outcome in outcomes {
        outcome.add_to(&mut all);
    }
    all
}

/// Logs each collector that has found nothing. A wrong --root is a common cause.
pub(crate) fn warn_of_failures(collected: &Collected) {
    let samples = |metric: &Metric| {
        let family = collected.families.iter().find(|family| family.metric.name == metric.name);
        family.map_or(&[][..], |family| &family.samples)
    };
    for failed in samples(&SUCCESS).iter().filter(|sample| sample.value < 1.0) {
        let collector = &failed.labels.pairs()[0];
        let why = samples(&UNREADABLE).iter().find(|sample| sample.labels.pairs()[0] == *collector);
        // A fault of the collector as a whole has no label `file`.
        let label = |name| why?.labels.pairs().iter().find(|(known, _)| *known == name).map(|(_, value)| &**value);
        let [file, reason] = ["file", "reason"].map(|name| label(name).unwrap_or_default());
        tracing::warn!(collector = collector.1, file, reason, "a collector finds nothing under --root");
    }
}

fn unreadable(collector: Collector, file: &str, reason: &str, all: &mut Collected) {
    let labels = Labels::new([("collector", collector.name()), ("file", file), ("reason", reason)]);
    all.push(&UNREADABLE, &labels, 1.0);
}

#[cfg(test)]
mod tests;
