//! Lines that an output refuses for good: kept in a file, as JSON with the reason, or told in the log.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use lifecycle::Complaint;
use serde::Serialize;

use crate::{batch::Batch, timestamp::rfc3339};

/// Where refused lines go
#[derive(Debug)]
pub(crate) struct DeadLetters {
    path: Option<PathBuf>,
    state: Mutex<(Option<File>, Complaint)>,
}

#[derive(Serialize)]
struct Letter<'a> {
    time: String,
    output: &'a str,
    reason: &'a str,
    file: String,
    generation: &'a str,
    offset: u64,
    message: &'a str,
}

impl DeadLetters {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, state: Mutex::default() }
    }

    /// Keeps a line; on return it is on the disk. Without a file, the log tells where the line is.
    pub(crate) fn bury(&self, batch: &Batch, output: &str, reason: &str) -> io::Result<()> {
        let text = String::from_utf8_lossy(batch.bytes());
        let letter = Letter {
            time: rfc3339(batch.time),
            output,
            reason,
            file: batch.source.path.display().to_string(),
            generation: &batch.source.generation,
            offset: batch.offset,
            message: text.strip_suffix('\n').unwrap_or(&text),
        };
        let (file, offset) = (&letter.file, letter.offset);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1.is_due(reason, Instant::now()) {
            tracing::warn!(output, reason, file, offset, "a line is refused for good");
        }
        let Some(path) = &self.path else { return Ok(()) };
        let mut bytes = serde_json::to_vec(&letter)?;
        bytes.push(b'\n');
        let file = match state.0.take() {
            Some(file) => file,
            None => OpenOptions::new().append(true).create(true).open(path)?,
        };
        (&file).write_all(&bytes)?;
        file.sync_data()?;
        state.0 = Some(file);
        Ok(())
    }
}
