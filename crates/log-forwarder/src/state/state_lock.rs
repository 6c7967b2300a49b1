//! One process for each state directory: two would deliver everything twice and overwrite each other's checkpoints.

use std::{io, path::Path};

use files::{Directory, Lock};
use lifecycle::{Exit, io_text};

use crate::{state::checkpoint::Checkpoint, volume};

/// Takes the lock of a state directory and removes the temporary files of a killed predecessor. Ends with 69 while another
/// process has the lock. A directory that cannot be made or locked is used without a lock.
pub(crate) async fn take(path: &Path) -> anyhow::Result<Option<Lock>> {
    let directory = path.to_owned();
    volume::ask(path, move || take_now(&directory)).await?
}

fn take_now(path: &Path) -> anyhow::Result<Option<Lock>> {
    let Ok(directory) = Directory::create(path) else { return Ok(None) };
    match directory.lock() {
        Ok(lock) => {
            // Safe only under the lock: another process's temporary file is not a leftover.
            match Checkpoint::remove_leftovers(&directory) {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "removed temporary files of a former run"),
                Err(error) => {
                    let error = io_text(&error);
                    tracing::warn!(error, "cannot remove temporary files of a former run");
                }
            }
            Ok(Some(lock))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let reason = "another log-forwarder is running with this --state-dir: give each its own";
            Err(Exit::Unavailable.because(format!("{}: {reason}", path.display())))
        }
        Err(error) => {
            let (directory, error) = (path.display(), io_text(&error));
            tracing::warn!(%directory, error, "cannot be locked: see to it that no other log-forwarder uses it");
            Ok(None)
        }
    }
}
