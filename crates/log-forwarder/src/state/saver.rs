//! Saves the checkpoint: at most a second old, or 8 MiB.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lifecycle::{Heartbeat, LogThrottle};
use tokio::{sync::watch, task, time};

use super::checkpoint::Checkpoint;
use crate::{
    files::follower::{MOST_SETTLED, Shared, lock},
    watch::signal::Signal,
};

/// How often the age is looked at, and how old a checkpoint gets at most, together with this
const TICK: Duration = Duration::from_millis(100);
const OLDEST: Duration = Duration::from_millis(900);
/// The interval while nothing changes; news of files ends it early
const IDLE_TICK: Duration = Duration::from_millis(900);

/// Saves the checkpoint
#[derive(Clone)]
pub(crate) struct Saver {
    follower: Shared,
    directory: PathBuf,
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
        match checkpoint.save(&self.directory) {
            Ok(()) if throttle.settle() => tracing::info!("the checkpoint is saved again"),
            Ok(()) => {}
            Err(error) => {
                let mut follower = lock(&self.follower);
                follower.set.undo_checkpoint(due);
                follower.set.ledger().checkpoint_failures.inc();
                drop(follower);
                if throttle.is_due(&error.to_string(), Instant::now()) {
                    let directory = self.directory.display();
                    tracing::error!(%directory, %error, "cannot save the checkpoint; a restart would deliver anew");
                }
            }
        }
    }

    /// Saves, and waits for it at most this long. The write of a volume that answers later goes on.
    pub(crate) async fn save_within(&self, limit: Duration) {
        let this = self.clone();
        if time::timeout(limit, task::spawn_blocking(move || this.save())).await.is_err() {
            self.complain_of_volume(limit);
        }
    }

    fn complain_of_volume(&self, after: Duration) {
        let (directory, after) = (self.directory.display(), lifecycle::elapsed(after));
        tracing::error!(%directory, "the checkpoint is not saved after {after}, and a restart would deliver anew: does its volume answer?");
    }

    /// Saves until all is over.
    pub(crate) async fn run(self, mut signal: watch::Receiver<Signal>, heartbeat: Heartbeat) -> anyhow::Result<()> {
        let (mut saved, mut tick) = (Instant::now(), TICK);
        let mut throttle = LogThrottle::default();
        let is_due = lock(&self.follower).is_due.clone();
        loop {
            heartbeat.beat();
            tokio::select! {
                biased;
                change = signal.changed() => if change.is_err() || signal.borrow().over { return Ok(()) },
                () = is_due.notified() => {}
                () = time::sleep(tick) => {}
            }
            let due = {
                let (settled, has_moved) = lock(&self.follower).set.unsaved();
                let has_changed = has_moved || settled > 0;
                tick = if has_changed { TICK } else { IDLE_TICK };
                settled >= MOST_SETTLED || (has_changed && saved.elapsed() >= OLDEST)
            };
            if due {
                saved = Instant::now();
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
