//! Lines that an output refuses for good: kept in a file, as JSON with the reason, or named in the
//! log.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde::Serialize;

use super::notices::{Notice, Notices};
use crate::{
    outputs::{has_name, open_lines},
    own_files::OwnFiles,
    records::{span::Span, timestamp::rfc3339},
};

/// Where refused lines go
#[derive(Debug)]
pub(crate) struct DeadLetters {
    path: Option<PathBuf>,
    own_files: OwnFiles,
    file: Mutex<Option<File>>,
    /// Behind a lock of its own, because a write to the file may hang
    notices: Mutex<Notices>,
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
    pub(crate) fn new(path: Option<PathBuf>, own_files: OwnFiles) -> Self {
        Self { path, own_files, file: Mutex::default(), notices: Mutex::default() }
    }

    /// The file, if there is one
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Keeps records, each with the reason; on return all are on the disk, or none. A pipe and a
    /// device have taken them. Without a file, the log tells where they are.
    pub(crate) fn write(&self, records: &[(Span, String)], output: &str) -> io::Result<()> {
        let Some(path) = &self.path else {
            log(&self.notices().of(records, false, Instant::now()), output);
            return Ok(());
        };
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        for (record, reason) in records {
            write_letter(record, output, reason, &mut bytes)?;
        }
        // A file that was rotated away keeps its letters, and the next ones go to a new file.
        let file = match open.take().filter(|file| has_name(file, path)) {
            Some(file) => file,
            None => open_lines(path, &self.own_files)?,
        };
        append(&file, &bytes)?;
        *open = Some(file);
        log(&self.notices().of(records, true, Instant::now()), output);
        Ok(())
    }

    /// Says in the log that a receiver has refused this number of records from there on, and not
    /// which.
    pub(crate) fn mention(&self, refused: (u64, u64), first: &Span, reason: &str, output: &str) {
        let (refused, of) = refused;
        let Some(unnamed) = self.notices().of_some(refused, Instant::now()) else { return };
        let (file, offset) = (first.source.path.display(), first.offset);
        tracing::warn!(output, %file, offset, refused, of, unnamed, reason, "lines are refused for good; which of them is not said");
    }

    fn notices(&self) -> MutexGuard<'_, Notices> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes letters to a file that is open.
fn append(mut file: &File, letters: &[u8]) -> io::Result<()> {
    let metadata = file.metadata()?;
    let written = file.write_all(letters);
    if !metadata.is_file() {
        // The system refuses to sync a pipe or a device (EINVAL of fdatasync(2)), which have no disk.
        return written;
    }
    written.and_then(|()| file.sync_data()).inspect_err(|_| {
        // A part of a letter would spoil the next one.
        let _ = file.set_len(metadata.len());
    })
}

fn log(notices: &[Notice], output: &str) {
    for Notice { reason, file, offsets, lines, unnamed } in notices {
        let file = file.display();
        tracing::warn!(output, reason, %file, offsets, lines, unnamed, "lines are refused for good");
    }
}

fn write_letter(span: &Span, output: &str, reason: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let lines = span.lines();
    let text = String::from_utf8_lossy(&lines);
    let letter = Letter {
        time: rfc3339(span.time),
        output,
        reason,
        file: span.source.path.display().to_string(),
        generation: &span.source.generation,
        offset: span.offset,
        message: text.strip_suffix('\n').unwrap_or(&text),
    };
    serde_json::to_writer(&mut *out, &letter)?;
    out.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;
    use crate::records::span::{Mark, of};

    #[test]
    fn letters_go_to_a_new_file_after_the_old_one_is_rotated_or_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let (path, rotated) = (directory.path().join("dead"), directory.path().join("dead.1"));
        let letters = DeadLetters::new(Some(path.clone()), OwnFiles::default());
        let write = |line: &str| letters.write(&[(of(line.as_bytes(), Mark::Whole), "no".into())], "output").unwrap();
        let has = |path: &Path, line: &str| fs::read_to_string(path).unwrap().contains(line);
        write("one\n");
        fs::rename(&path, &rotated).unwrap();
        write("two\n");
        assert!(has(&rotated, "one") && !has(&rotated, "two") && has(&path, "two"));
        fs::remove_file(&path).unwrap();
        write("three\n");
        assert!(has(&path, "three"));
    }
    #[test]
    fn pipes_and_devices_take_letters_too() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let records = [(of(b"one\n", Mark::Whole), "no".to_owned())];
        let write = |path: &Path| DeadLetters::new(Some(path.into()), OwnFiles::default()).write(&records, "output");
        let reader = thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).unwrap()
        });
        write(&fifo).unwrap();
        assert_eq!(reader.join().unwrap().lines().count(), 1);
        write(Path::new("/dev/null")).unwrap();
    }
}
