//! One process for each state directory: two would deliver everything twice, and overwrite each other's checkpoints.

use std::{
    fs::{self, File},
    path::Path,
};

use lifecycle::Exit;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Keeps others out of a state directory while it lives. The lock is the process's, so that a kill leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Claim {
    _directory: Option<File>,
}

impl Claim {
    /// Refused with 69 while another process has the directory. One that can't be locked, or made, is used as it is.
    pub(crate) fn of(directory: &Path) -> anyhow::Result<Self> {
        let made = fs::create_dir_all(directory);
        let Ok(file) = made.and_then(|()| File::open(directory)) else { return Ok(Self { _directory: None }) };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let reason = "another log-forwarder is running with this --state-dir: give each its own";
                return Err(Exit::Unavailable.because(format!("{}: {reason}", directory.display())));
            }
            Err(error) => {
                let directory = directory.display();
                tracing::warn!(%directory, %error, "cannot be locked: see to it that no other log-forwarder uses it");
            }
        }
        Ok(Self { _directory: Some(file) })
    }
}
