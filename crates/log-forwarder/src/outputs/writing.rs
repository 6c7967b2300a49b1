//! A batch that is written to a stream and may stop halfway: the next attempt goes on where the last one ended, so that no
//! line is torn.

use std::{
    fs::File,
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

use crate::{
    content::opening::{open_to_append, open_to_read},
    own_files::OwnFiles,
    records::batch::Batch,
};

/// How much of which batch is written
#[derive(Debug, Default)]
pub(crate) struct Progress {
    batch: Option<(u64, Range<u64>)>,
    written: usize,
}

impl Progress {
    /// Writes what is missing of a batch that is these bytes.
    pub(crate) fn write(&mut self, batch: &Batch, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        let this = Some((batch.key, batch.offset..batch.end()));
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
}

/// Opens a file to append lines. A line that a kill or a crash has cut off is ended first, so that nothing is glued to it: it
/// comes again whole. It is not removed, because another process may have written it.
pub(crate) fn open_lines(path: &Path, own_files: &OwnFiles) -> io::Result<File> {
    let mut file = open_to_append(path)?;
    own_files.opened(path, &file)?;
    let metadata = file.metadata()?;
    // A pipe has no last byte, and a file that may only be written does not show it.
    if metadata.is_file()
        && let Some(last) = metadata.len().checked_sub(1)
        && let Ok(readable) = open_to_read(path)
    {
        let mut byte = [0];
        readable.read_exact_at(&mut byte, last)?;
        if byte != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::records::batch::{Mark, of};

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
        let batch = of(b"one\ntwo\n", Mark::Whole);
        let (mut progress, mut out) = (Progress::default(), Full(Vec::new(), 5));
        assert!(progress.write(&batch, batch.bytes(), &mut out).is_err());
        out.1 = 99;
        progress.write(&batch, batch.bytes(), &mut out).unwrap();
        assert_eq!(out.0, b"one\ntwo\n");
    }

    #[test]
    fn nothing_is_glued_to_a_line_that_was_cut_off() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (before, after) in [("", "new\n"), ("one\n", "one\nnew\n"), ("one\ntw", "one\ntw\nnew\n")] {
            fs::write(&file, before).unwrap();
            open_lines(file.path(), &OwnFiles::default()).unwrap().write_all(b"new\n").unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), after);
        }
    }
}
