//! A configuration file that may change while the helper runs.
//!
//! A ConfigMap changes by a swap of the `..data` link in its directory, an editor replaces the file, and a file of a
//! `subPath` mount never changes. So the directory is watched, the content compared, and the file read every
//! minute besides, since events get lost. SIGHUP asks at once. A bad file is refused and counted; the old one stays.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use notify::{RecursiveMode, Watcher};
use prometheus::{IntCounterVec, Opts};
use serde::de::DeserializeOwned;
use tokio::{
    sync::{mpsc, watch},
    time,
};

use crate::{config, job::Lifecycle, log_throttle::LogThrottle};

/// For events that got lost
const POLL: Duration = Duration::from_secs(60);
/// A writer that is in the middle of its work gets this long to finish.
const SETTLE: Duration = Duration::from_millis(50);

/// The configuration in force; `changed()` tells of a new one
pub type Reloads<T> = watch::Receiver<Arc<T>>;

/// Reads the file, and again whenever it changes, until the helper stops. Only the first read can fail.
pub fn follow<T>(path: &Path, life: &Lifecycle) -> anyhow::Result<Reloads<T>>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let text = config::text(path)?;
    let (sender, receiver) = watch::channel(Arc::new(config::parse(path, &text)?));
    let about = Opts::new("sidekit_config_reloads_total", "Changes of the configuration file, by result");
    let results = IntCounterVec::new(about, &["result"]).context("cannot count reloads")?;
    for result in ["accepted", "refused"] {
        results.with_label_values(&[result]);
    }
    life.metrics().register(Box::new(results.clone())).context("cannot count reloads")?;
    let file = File { path: path.into(), text, refused: None, throttle: LogThrottle::default(), results };
    let watching = life.clone();
    life.spawn(async move {
        tokio::select! {
            _ = watching.stop_requested() => (),
            () = file.watch(sender, &watching) => (),
        }
    });
    Ok(receiver)
}

struct File {
    path: PathBuf,
    text: String,
    /// What was refused last, so that it counts once: the content, or why there was none
    refused: Option<String>,
    throttle: LogThrottle,
    results: IntCounterVec,
}

impl File {
    async fn watch<T: DeserializeOwned>(mut self, sender: watch::Sender<Arc<T>>, life: &Lifecycle) {
        let (wake, mut woken) = mpsc::channel(1);
        let _watcher = self.directory_watcher(wake);
        let mut hangups = life.hangups();
        loop {
            // Also before the first event: the file may have changed since it was read and before it was watched.
            self.read_again(&sender);
            tokio::select! {
                Some(()) = woken.recv() => time::sleep(SETTLE).await,
                Ok(()) = hangups.changed() => self.refused = None,
                () = time::sleep(POLL) => (),
            }
        }
    }

    /// None where events can't be had; the poll goes on.
    fn directory_watcher(&self, wake: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let told = notify::recommended_watcher(move |event| {
            if may_be_a_change(&event) {
                // A full channel means that a wake-up is under way already.
                let _ = wake.try_send(());
            }
        });
        let watching = told.and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        watching
            .inspect_err(
                |error| tracing::warn!(%error, "cannot watch the configuration's directory; it is read every minute"),
            )
            .ok()
    }

    fn read_again<T: DeserializeOwned>(&mut self, sender: &watch::Sender<Arc<T>>) {
        match config::text(&self.path) {
            Ok(text) if text == self.text => {
                if self.refused.is_some() {
                    tracing::info!(file = %self.path.display(), "the old content is back");
                }
                self.refused = None;
            }
            Ok(text) => match config::parse(&self.path, &text) {
                Ok(value) => {
                    tracing::info!(file = %self.path.display(), "new configuration in force");
                    self.results.with_label_values(&["accepted"]).inc();
                    (self.text, self.refused) = (text, None);
                    sender.send_replace(Arc::new(value));
                }
                Err(error) => self.refuse(text, &error),
            },
            Err(error) => self.refuse(error.to_string(), &error),
        }
    }

    fn refuse(&mut self, what: String, error: &anyhow::Error) {
        if self.refused.as_ref() != Some(&what) {
            self.results.with_label_values(&["refused"]).inc();
            (self.refused, self.throttle) = (Some(what), LogThrottle::default());
        }
        if self.throttle.is_due(&error.to_string(), Instant::now()) {
            tracing::error!("new configuration refused, the old one stays: {error:#}");
        }
    }
}

/// Reading is an event too, and our own reading must not be a reason to read again.
fn may_be_a_change(event: &notify::Result<notify::Event>) -> bool {
    !event.as_ref().is_ok_and(|event| event.kind.is_access())
}

#[cfg(test)]
mod tests {
    use notify::{
        Event, EventKind,
        event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode},
    };

    use super::*;

    #[test]
    fn whatever_is_not_mere_reading_may_be_a_change() {
        for (kind, change) in [
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), false),
            (EventKind::Access(AccessKind::Close(AccessMode::Read)), false),
            (EventKind::Create(CreateKind::File), true),
            (EventKind::Modify(ModifyKind::Name(RenameMode::To)), true),
            (EventKind::Other, true),
        ] {
            assert_eq!(may_be_a_change(&Ok(Event::new(kind))), change, "{kind:?}");
        }
        assert!(may_be_a_change(&Err(notify::Error::generic("events were lost"))));
    }
}
