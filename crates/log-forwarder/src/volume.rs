//! The first looks at the volumes of inputs and state directory: one whose server is gone must not hang the start without a word.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future;
use lifecycle::{Exit, on_volume};

/// A volume that has not answered for this long does not answer at all.
const LIMIT: Duration = Duration::from_secs(10);

/// Does work about a path. Ends with 74 when its volume does not answer.
pub(crate) async fn ask<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let failed = |error| {
        let (path, reason) = (path.display(), lifecycle::io_text(&error));
        Exit::Io.because(format!("cannot look at {path}: {reason}; is its server gone?"))
    };
    on_volume(path, LIMIT, work).await.map_err(failed)
}

/// Waits until each of these paths was looked at; whether it is there does not matter.
pub(crate) async fn all_answer(mut paths: Vec<PathBuf>) -> anyhow::Result<()> {
    paths.sort();
    paths.dedup();
    let look = |path: PathBuf| async move {
        let there = path.clone();
        ask(&path, move || drop(there.metadata())).await
    };
    future::try_join_all(paths.into_iter().map(look)).await.map(drop)
}
