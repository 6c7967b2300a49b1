//! The first looks at the volumes of inputs, state directory and dead letters: one whose server is
//! gone must not hang the start without a word.

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

/// Warns of dead letters without a directory, because that would show only at the first line that is
/// refused for good. The directory may still come, and a volume that does not answer holds up
/// nothing but letters.
pub(crate) async fn look_for_directory_of(letters: PathBuf) {
    let directory = letters.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let there = directory.to_path_buf();
    if let Ok(false) = on_volume(directory, LIMIT, move || there.is_dir()).await {
        let directory = directory.display();
        tracing::warn!(%directory, "the directory of --dead-letter is not there: a line that is refused for good holds up its output until it is");
    }
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
