//! A configuration file that may change while the helper runs.
//!
//! A `ConfigMap` changes by a swap of the `..data` link in its directory, an editor replaces the file, and a file of a
//! `subPath` mount never changes. Therefore the follower watches the directory and compares the content. It also reads the file
//! every minute, because events get lost, and at SIGHUP. A bad file is refused and counted, and the old content stays.
//! Each look at the volume runs on a blocking thread, because a mount whose server is gone hangs for ever.

use std::{
    future,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use prometheus::IntCounterVec;
use tokio::{sync::watch, time};

use crate::{
    config::{self, Configuration},
    file_watch::FileWatch,
    job::Lifecycle,
    log_throttle::LogThrottle,
    metrics,
};

/// For events that got lost
const POLL: Duration = Duration::from_secs(60);

/// The configuration in force; `changed()` resolves at a new one
pub type Reloads<T> = watch::Receiver<Arc<T>>;

/// A configuration file that was read once, and is not followed yet
pub struct Opened<C: Configuration> {
    file: File,
    args: C::Args,
}

/// Reads the file, and again whenever it changes, until the helper stops. Only the first read can fail; each later content is
/// judged by the same function, and one that is refused changes nothing. A helper may follow several files.
pub async fn follow<C>(path: &Path, args: C::Args, life: &Lifecycle) -> anyhow::Result<Reloads<C>>
where
    C: Configuration,
    C::Args: Send + Sync + 'static,
{
    let (content, opened) = open(path, args, life).await?;
    let (sender, receiver) = watch::channel(Arc::new(content));
    opened.follow(life, move |content| {
        sender.send_replace(Arc::new(content));
        future::ready(Ok(()))
    });
    Ok(receiver)
}

/// Reads the file once, for a helper that puts each content in force itself: see [`Opened::follow`].
pub async fn open<C: Configuration>(path: &Path, args: C::Args, life: &Lifecycle) -> anyhow::Result<(C, Opened<C>)> {
    let text = tokio::select! {
        biased;
        exit = life.stop_requested() => return Err(exit.because("stopped while the configuration was read")),
        text = config::text(path) => text?,
    };
    let content = config::judged::<C>(path, &text, &args)?;
    let file = path.display().to_string();
    let results = metrics::register_reloads(&file, life.metrics()).context("cannot count reloads")?;
    let file = File { path: path.into(), text, refused: None, throttle: LogThrottle::default(), results };
    Ok((content, Opened { file, args }))
}

impl<C> Opened<C>
where
    C: Configuration,
    C::Args: Send + Sync + 'static,
{
    /// Reads the file whenever it changes, until the helper stops, and puts each content in force that was judged good. An
    /// error of `apply` refuses the content, for a reason that only its use shows, such as a port that is taken; the old
    /// content must then be in force as before. It is tried again with the next reading of the file.
    pub fn follow<F>(self, life: &Lifecycle, apply: impl FnMut(C) -> F + Send + 'static)
    where
        F: Future<Output = anyhow::Result<()>> + Send,
    {
        let watching = life.clone();
        life.spawn(async move {
            tokio::select! {
                _ = watching.stop_requested() => (),
                () = self.file.watch(&self.args, &watching, apply) => (),
            }
        });
    }
}

struct File {
    path: PathBuf,
    text: String,
    /// The content that was refused last, or the reason why there was none, so that it counts once
    refused: Option<String>,
    throttle: LogThrottle,
    results: IntCounterVec,
}

impl File {
    async fn watch<C, F>(mut self, args: &C::Args, life: &Lifecycle, mut apply: impl FnMut(C) -> F)
    where
        C: Configuration,
        F: Future<Output = anyhow::Result<()>>,
    {
        let mut events = self.events().await;
        let mut hangups = life.hangups();
        loop {
            // Also before the first event: the file may have changed since it was read and before it was watched.
            self.read_again(args, &mut apply).await;
            tokio::select! {
                () = next(&mut events) => (),
                Ok(()) = hangups.changed() => self.refused = None,
                () = time::sleep(POLL) => (),
            }
        }
    }

    /// None where events can't be had; the poll goes on.
    async fn events(&self) -> Option<FileWatch> {
        let watch = FileWatch::of(&self.path).await;
        watch
            .inspect_err(
                |error| tracing::warn!(%error, "cannot watch the configuration's directory; it is read every minute"),
            )
            .ok()
    }

    async fn read_again<C, F>(&mut self, args: &C::Args, apply: &mut impl FnMut(C) -> F)
    where
        C: Configuration,
        F: Future<Output = anyhow::Result<()>>,
    {
        match config::text(&self.path).await {
            Ok(text) if text == self.text => {
                if self.refused.is_some() {
                    tracing::info!(file = %self.path.display(), "the old content is back");
                }
                self.refused = None;
            }
            Ok(text) => {
                let applied = match judged::<C>(&self.path, &text, args) {
                    Ok(content) => apply(content).await,
                    Err(error) => Err(error),
                };
                match applied {
                    Ok(()) => self.accept(text),
                    Err(error) => self.refuse(text, &error),
                }
            }
            Err(error) => self.refuse(error.to_string(), &error),
        }
    }

    fn accept(&mut self, text: String) {
        tracing::info!(file = %self.path.display(), "new configuration in force");
        self.results.with_label_values(&["accepted"]).inc();
        self.text = text;
        self.refused = None;
    }

    fn refuse(&mut self, content: String, error: &anyhow::Error) {
        if self.refused.as_ref() != Some(&content) {
            self.results.with_label_values(&["refused"]).inc();
            self.refused = Some(content);
            self.throttle = LogThrottle::default();
        }
        if self.throttle.is_due(&error.to_string(), Instant::now()) {
            tracing::error!("new configuration refused, the old one stays: {error:#}");
        }
    }
}

async fn next(events: &mut Option<FileWatch>) {
    match events {
        Some(events) => events.changed().await,
        None => future::pending().await,
    }
}

/// A panic in a parser or a judge refuses the new content, and the follower goes on.
fn judged<C: Configuration>(path: &Path, text: &str, args: &C::Args) -> anyhow::Result<C> {
    let result = panic::catch_unwind(AssertUnwindSafe(|| config::judged::<C>(path, text, args)));
    result.unwrap_or_else(|_| Err(anyhow!("{}: a bug of the helper: the configuration made it panic", path.display())))
}
