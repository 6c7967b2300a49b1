//! `--status-file`: the state of all secrets as JSON, whole or not at all. It holds no secret.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use files::Permissions;
use lifecycle::{Lifecycle, LogThrottle};
use serde_json::{Value, json};
use tokio::time;

use super::board::{Board, Row};
use crate::value::date;

/// Changes that come together are written together.
const SETTLE: Duration = Duration::from_millis(200);
/// A volume that has not answered for this long does not answer at all.
const LIMIT: Duration = Duration::from_secs(10);
/// After a failure
const RETRY: Duration = Duration::from_secs(5);
/// It holds no secret, and monitoring runs as another user.
const PERMISSIONS: Permissions = Permissions::mode(0o644);

/// Writes the file now and at each change, until the stop.
pub(crate) fn start(path: PathBuf, board: &Board, life: &Lifecycle) {
    let (board, watching) = (board.clone(), life.clone());
    life.spawn(async move {
        tokio::select! {
            _ = watching.stop_requested() => (),
            () = keep(&path, &board) => (),
        }
    });
}

/// Writes the file once.
pub(crate) async fn write(path: &Path, board: &Board) -> anyhow::Result<()> {
    let text = format!("{:#}\n", json(board));
    let owned = path.to_owned();
    let written = lifecycle::on_volume(path, LIMIT, move || write_now(&owned, &text)).await;
    written.and_then(|written| written).with_context(|| format!("cannot write {}", path.display()))
}

/// The fault of a path, if it has one
pub(crate) fn judge(path: &Path) -> Result<(), &'static str> {
    if path.is_absolute() && path.file_name().is_some_and(|name| name.to_str().is_some()) {
        return Ok(());
    }
    Err("--status-file needs the absolute path of a file")
}

async fn keep(path: &Path, board: &Board) {
    let (mut changes, mut throttle) = (board.changes(), LogThrottle::default());
    loop {
        changes.borrow_and_update();
        match write(path, board).await {
            Ok(()) => {
                throttle.settle();
                // The board holds the sender.
                let _ = changes.changed().await;
                time::sleep(SETTLE).await;
            }
            Err(error) => {
                if throttle.is_due(&format!("{error:#}"), Instant::now()) {
                    tracing::warn!("no status file: {error:#}");
                }
                time::sleep(RETRY).await;
            }
        }
    }
}

fn write_now(path: &Path, text: &str) -> std::io::Result<()> {
    // Past links that the app may have put there
    let directory = files::resolve(path.parent().unwrap_or(Path::new("/")), None)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    directory.write(name, text.as_bytes(), PERMISSIONS)
}

fn json(board: &Board) -> Value {
    let secrets: serde_json::Map<_, _> = board.rows().iter().map(|(name, row)| (name.clone(), of(row))).collect();
    json!({ "secrets": secrets })
}

fn of(row: &Row) -> Value {
    let failure = row.failure.as_ref().map(|failure| {
        json!({ "reason": failure.label, "message": failure.reason, "at": text(Some(failure.at)), "times": row.failures })
    });
    json!({
        "state": row.state.to_string(),
        "written": row.is_written,
        "expires": text(row.expires),
        "last_success": text(row.last_success),
        "next_attempt": text(row.next_attempt),
        "failure": failure,
    })
}

fn text(time: Option<SystemTime>) -> Option<String> {
    time.map(date::text)
}
