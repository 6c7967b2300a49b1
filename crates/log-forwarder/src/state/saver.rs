//! Saves the checkpoint: at most a second old, or 8 MiB.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lifecycle::{Heartbeat, LogThrottle, io_text};
use tokio::{sync::watch, task, time};

use super::checkpoint::Checkpoint;
use crate::{
    files::follower::{MOST_SETTLED, Shared, lock},
    heap,
    watch::signal::Signal,
};

/// Between two saves, unless [`MOST_SETTLED`] bytes come sooner
const INTERVAL: Duration = Duration::from_millis(900);
/// After a save that held no new deliveries, the first ones are saved this soon. Otherwise a forwarder that is killed within a
/// second of each start would deliver the same lines each time.
const SOON: Duration = Duration::from_millis(50);

/// Saves the checkpoint
#[derive(Clone)]
pub(crate) struct Saver {
    follower: Shared,
    directory: PathBuf,
    /// One save at a time
    throttle: Arc<Mutex<LogThrottle>>,
}

impl Saver {
    pub(crate) fn new(follower: Shared, directory: &Path) -> Self {
        Self { follower, directory: directory.to_path_buf(), throttle: Arc::default() }
    }

    /// Saves the changes. A failure is logged and counted, and its changes stay due.
    pub(crate) fn save(&self) {
        // Take the lock first: of two concurrent saves, the later write must hold the later snapshot.
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let (checkpoint, due) = {
            let mut follower = lock(&self.follower);
            (Checkpoint::of(&follower), follower.set.begin_checkpoint())
        };
        let saved = checkpoint.save(&self.directory);
        let files = checkpoint.count();
        drop(checkpoint);
        heap::trim(files);
        match saved {
            Ok(()) if throttle.settle() => tracing::info!("the checkpoint is saved again"),
            Ok(()) => {}
            Err(error) => {
                let mut follower = lock(&self.follower);
                follower.set.undo_checkpoint(due);
                follower.set.ledger().checkpoint_failures.inc();
                drop(follower);
                let error = io_text(&error);
                if throttle.is_due(&error, Instant::now()) {
                    let directory = self.directory.display();
                    tracing::error!(%directory, error, "cannot save the checkpoint; a restart would deliver lines again");
                }
            }
        }
    }

    /// Saves, and waits for it until another event comes. The write of a volume that answers later goes on.
    pub(crate) async fn save_before(&self, end: impl Future<Output = ()>) {
        let (this, begun) = (self.clone(), Instant::now());
        tokio::select! {
            biased;
            _ = task::spawn_blocking(move || this.save()) => {}
            () = end => self.complain_of_volume(begun.elapsed()),
        }
    }

    fn complain_of_volume(&self, after: Duration) {
        let (directory, after) = (self.directory.display(), lifecycle::elapsed(after));
        tracing::error!(%directory, "the checkpoint is not saved after {after}, and a restart would deliver lines again: does its volume answer?");
    }

    /// Saves until all is over.
    pub(crate) async fn run(self, mut signal: watch::Receiver<Signal>, heartbeat: Heartbeat) -> anyhow::Result<()> {
        // The start has saved the files as they were found.
        let (mut saved, mut held_deliveries) = (Instant::now(), false);
        let mut throttle = LogThrottle::default();
        let is_due = lock(&self.follower).is_due.clone();
        loop {
            heartbeat.beat();
            let unsaved = lock(&self.follower).set.unsaved();
            let rest = due_in(unsaved, held_deliveries, saved.elapsed());
            tokio::select! {
                biased;
                change = signal.changed() => if change.is_err() || signal.borrow().over { return Ok(()) },
                () = is_due.notified() => {}
                () = time::sleep(rest.unwrap_or(INTERVAL).max(SOON)) => {}
            }
            let unsaved = lock(&self.follower).set.unsaved();
            if due_in(unsaved, held_deliveries, saved.elapsed()) == Some(Duration::ZERO) {
                (saved, held_deliveries) = (Instant::now(), unsaved.0 > 0);
                let this = self.clone();
                // On another thread, because an fsync may take long and must not hold up the lines.
                let mut saving = task::spawn_blocking(move || this.save());
                loop {
                    tokio::select! {
                        biased;
                        done = &mut saving => {
                            done?;
                            if throttle.settle() {
                                tracing::info!("the volume of the checkpoint answers again");
                            }
                            break;
                        }
                        ended = signal.wait_for(|signal| signal.over) => return ended.map(drop).or(Ok(())),
                        () = time::sleep(heartbeat.interval()) => {}
                    }
                    // A volume that does not answer is no fault of this loop, and no restart helps.
                    heartbeat.beat();
                    if throttle.is_due("no answer", Instant::now()) {
                        self.complain_of_volume(saved.elapsed());
                    }
                }
            }
        }
    }
}

/// How long the next save still waits; `None` if nothing has changed. The change is that of [`FileSet::unsaved`].
///
/// [`FileSet::unsaved`]: crate::files::set::FileSet::unsaved
fn due_in((settled, has_moved): (u64, bool), held_deliveries: bool, age: Duration) -> Option<Duration> {
    let interval = if settled > 0 && !held_deliveries { SOON } else { INTERVAL };
    match settled {
        0 if !has_moved => None,
        _ if settled >= MOST_SETTLED => Some(Duration::ZERO),
        _ => Some(interval.saturating_sub(age)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use prometheus::Registry;

    use super::*;
    use crate::{
        content::volume::Disk,
        files::{
            descriptors::Descriptors,
            follower::{Follower, Policy, Settings},
            ledger::Ledger,
            reading::Bounds,
            set::Change,
        },
        log_lines::LogLines,
    };

    #[test]
    fn a_last_save_has_until_its_end_and_goes_on_behind_it() {
        let (lines, _guard) = LogLines::taken();
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(&Registry::new()).unwrap();
        let bounds = Bounds { batch: 1024, line: 1024, may_grow: true };
        let settings = Settings { inputs: Vec::new(), bounds, gathered: 1024, policy: Policy::default() };
        let follower = Follower::new(settings, ledger, Descriptors::new(10), Arc::new(Disk));
        let saver = Saver::new(Arc::new(Mutex::new(follower)), directory.path());
        let is_saved = || directory.path().join("checkpoint.json").exists();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // As if the volume did not answer
        let held = saver.throttle.lock().unwrap();
        runtime.block_on(saver.save_before(std::future::ready(())));
        assert_eq!((lines.count("a restart would deliver lines again"), is_saved()), (1, false));
        drop(held);
        runtime.block_on(saver.save_before(std::future::pending()));
        assert_eq!((lines.count("a restart would deliver lines again"), is_saved()), (1, true));
    }

    #[tokio::test]
    async fn the_first_delivery_that_no_checkpoint_holds_wakes_the_saver() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["one.log", "two.log"] {
            fs::write(directory.path().join(name), "line\n").unwrap();
        }
        let inputs = vec![directory.path().join("*.log").to_str().unwrap().parse().unwrap()];
        let policy = Policy { quiet_period: Duration::ZERO, ..Policy::default() };
        let settings =
            Settings { inputs, bounds: Bounds { batch: 1024, line: 1024, may_grow: true }, gathered: 1024, policy };
        let ledger = Ledger::new(&Registry::new()).unwrap();
        let mut follower = Follower::new(settings, ledger, Descriptors::new(10), Arc::new(Disk));
        let output = follower.add_output("stdout://".into());
        follower.scan_names(Instant::now());
        let is_due = follower.is_due.clone();
        let mut deliver = || {
            let batch = follower.next(output, None, Instant::now()).unwrap();
            follower.account(Change::Settle(&batch.spans()[0], output));
        };
        let is_woken = async || time::timeout(Duration::ZERO, is_due.notified()).await.is_ok();
        assert!(!is_woken().await);
        deliver();
        assert!(is_woken().await);
        deliver();
        assert!(!is_woken().await);
    }

    #[test]
    fn the_first_deliveries_are_saved_soon_and_later_ones_once_a_second() {
        let (start, late) = (Duration::from_millis(10), Duration::from_secs(60));
        // News of files alone waits, and does not delay the first deliveries after it.
        assert_eq!(due_in((0, false), false, late), None);
        assert!(due_in((0, true), false, start) > Some(Duration::from_millis(500)));
        assert!(due_in((1, true), false, start) <= Some(Duration::from_millis(50)));
        assert!(due_in((1, false), true, start) > Some(Duration::from_millis(500)));
        // However long after the start they come.
        assert_eq!(due_in((1, false), true, late), Some(Duration::ZERO));
        assert_eq!(due_in((MOST_SETTLED, false), true, start), Some(Duration::ZERO));
    }
}
