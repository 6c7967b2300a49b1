//! A batch that is written to a stream and may stop halfway: the next attempt goes on where the
//! last one ended, so that no line is torn.

use std::{
    fs::{File, Metadata},
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

use memchr::memrchr;
use rustix::fs::{FlockOperation, flock};

use crate::{
    content::{
        opening::{open_to_append, open_to_read},
        volume::Inode,
    },
    own_files::OwnFiles,
    records::batch::Batch,
};

/// How much of a batch is written
#[derive(Debug, Default)]
pub(crate) struct Progress {
    batch: Option<Identity>,
    written: usize,
}

/// The ranges of a batch and their files, by which its next attempt is known. A name would not do, because
/// a file that is written again with the same lines may have the same one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    ranges: Vec<(u64, Range<u64>)>,
    /// How often a new configuration has changed its records
    retreated: u32,
}

impl Identity {
    pub(crate) fn of(batch: &Batch) -> Self {
        let ranges = batch.spans().iter().map(|span| (span.key, span.offset..span.end())).collect();
        Self { ranges, retreated: batch.spans().iter().map(|span| span.retreated).sum() }
    }

    /// Whether a new configuration has changed these records since then
    pub(crate) fn supersedes(&self, earlier: &Self) -> bool {
        self.ranges == earlier.ranges && self.retreated > earlier.retreated
    }
}

impl Progress {
    /// Writes what is missing of a batch that is these bytes.
    pub(crate) fn write(&mut self, batch: &Batch, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        let this = Some(Identity::of(batch));
        if self.batch != this {
            (self.batch, self.written) = (this, 0);
        }
        while self.written < bytes.len() {
            match out.write(&bytes[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => self.written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// After a write that failed: cuts off half a line at the end of a file, so that neither a
    /// reader nor another writer meets it. A pipe keeps it, and the next attempt goes on in the
    /// middle of the line.
    pub(crate) fn cut_back(&mut self, bytes: &[u8], file: &File, path: &Path) {
        let written = &bytes[..self.written];
        let whole = memrchr(b'\n', written).map_or(0, |newline| newline + 1);
        let half = &written[whole..];
        if let Ok(metadata) = file.metadata()
            && metadata.is_file()
            // Another process may have written behind it.
            && ends_with(path, metadata.len(), half)
            && file.set_len(metadata.len() - half.len() as u64).is_ok()
        {
            self.written = whole;
        }
    }
}

/// Whether the file ends with these bytes
fn ends_with(path: &Path, length: u64, bytes: &[u8]) -> bool {
    let mut end = vec![0; bytes.len()];
    let start = length.saturating_sub(bytes.len() as u64);
    open_to_read(path).is_ok_and(|file| file.read_exact_at(&mut end, start).is_ok()) && end == bytes
}

/// Opens a file to append lines. A kill in the middle of a write leaves half a line at its end,
/// which is cut off: the line comes again.
///
/// Half a line of another process stays, and is ended so that nothing is glued to it. Each
/// log-forwarder has a shared lock on the file while it writes. A file without any newline may be
/// no file of lines: it stays as it is, too.
pub(crate) fn open_lines(path: &Path, own_files: &OwnFiles) -> io::Result<File> {
    let file = open_to_append(path)?;
    own_files.opened(path, &file)?;
    // A pipe has no last byte, and a file that may only be written does not show it.
    if file.metadata()?.is_file()
        && let Ok(readable) = open_to_read(path)
    {
        let is_ours_alone = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let ended = end_last_line(&file, &readable, is_ours_alone);
        // Where the volume has no locks, half a line is not cut off.
        let _ = flock(&file, FlockOperation::NonBlockingLockShared);
        ended?;
    }
    Ok(file)
}

/// Whether the path still leads to this file: it may have been rotated or deleted.
pub(crate) fn has_name(file: &File, path: &Path) -> bool {
    let inode = |metadata: io::Result<Metadata>| metadata.map(|metadata| Inode::of(&metadata)).ok();
    inode(file.metadata()) == inode(path.metadata())
}

fn end_last_line(mut file: &File, readable: &File, may_cut: bool) -> io::Result<()> {
    let length = readable.metadata()?.len();
    let whole = end_of_last_line(readable, length)?;
    if whole == Some(length) || length == 0 {
        return Ok(());
    }
    match whole.filter(|_| may_cut) {
        Some(whole) if file.set_len(whole).is_ok() => Ok(()),
        _ => file.write_all(b"\n"),
    }
}

/// The offset behind the last newline, if it is near the end
fn end_of_last_line(file: &File, length: u64) -> io::Result<Option<u64>> {
    /// Longer than a line of usual `--max-line` in any encoding
    const FARTHEST: u64 = 16 * 1024 * 1024;
    let (mut block, mut end) = ([0; 16 * 1024], length);
    while end > length.saturating_sub(FARTHEST) {
        let start = end.saturating_sub(block.len() as u64);
        let bytes = &mut block[..usize::try_from(end - start).unwrap_or_default()];
        file.read_exact_at(bytes, start)?;
        if let Some(newline) = memrchr(b'\n', bytes) {
            return Ok(Some(start + newline as u64 + 1));
        }
        end = start;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::records::span::{Mark, of};

    /// Takes this number of bytes and then fails
    struct Full(Vec<u8>, usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.1 - self.0.len());
            self.0.extend_from_slice(&bytes[..length]);
            if length == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(length) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_not_torn_by_a_full_disk() {
        let batch = Batch::from(of(b"one\ntwo\n", Mark::Whole));
        let (mut progress, mut out) = (Progress::default(), Full(Vec::new(), 5));
        assert!(progress.write(&batch, batch.spans()[0].bytes(), &mut out).is_err());
        out.1 = 99;
        progress.write(&batch, batch.spans()[0].bytes(), &mut out).unwrap();
        assert_eq!(out.0, b"one\ntwo\n");
    }

    fn opened(before: &str) -> (tempfile::NamedTempFile, File) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, before).unwrap();
        let opened = open_lines(file.path(), &OwnFiles::default()).unwrap();
        (file, opened)
    }

    #[test]
    fn half_a_line_that_a_kill_has_left_is_cut_off() {
        let long = "x".repeat(100_000);
        let line = format!("{long}\n");
        for (before, after) in [
            ("", "new\n"),
            ("one\n", "one\nnew\n"),
            ("one\ntw", "one\nnew\n"),
            ("tw", "tw\nnew\n"),
            (&(line.clone() + &long), &(line.clone() + "new\n")),
        ] {
            let (file, mut opened) = opened(before);
            opened.write_all(b"new\n").unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), after);
        }
    }

    #[test]
    fn half_a_line_that_another_one_is_writing_stays() {
        let (file, mut other) = opened("one\n");
        other.write_all(b"tw").unwrap();
        open_lines(file.path(), &OwnFiles::default()).unwrap().write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntw\nnew\n");
    }

    #[test]
    fn after_a_full_disk_a_file_ends_with_a_whole_line() {
        let batch = Batch::from(of(b"one\ntwo\n", Mark::Whole));
        let (file, mut opened) = opened("zero\n");
        let mut progress = Progress::default();
        let mut full = Full(Vec::new(), 6);
        assert!(progress.write(&batch, batch.spans()[0].bytes(), &mut full).is_err());
        opened.write_all(&full.0).unwrap();
        progress.cut_back(batch.spans()[0].bytes(), &opened, file.path());
        assert_eq!(fs::read_to_string(&file).unwrap(), "zero\none\n");
        progress.write(&batch, batch.spans()[0].bytes(), &mut opened).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "zero\none\ntwo\n");
    }
}
