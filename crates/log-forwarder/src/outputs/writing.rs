//! A batch that is written to a stream and may stop halfway: the next attempt goes on where the last one ended, so that no
//! line is torn.

use std::{
    io::{self, Write},
    ops::Range,
};

use crate::batch::Batch;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Mark, of};

    /// Takes so many bytes and then fails
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
}
