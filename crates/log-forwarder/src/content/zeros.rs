//! NULs of a file that are not text: an app extends its file before it writes lines, or leaves a
//! hole behind.

use std::{io, ops::Range};

use super::volume::Handle;

/// The least number of NULs in a row that are a hole. Fewer are part of a line, because apps write
/// binary data too.
pub(crate) const HOLE: usize = 64;
/// Bytes that are read at once
const CHUNK: usize = 64 * 1024;
/// Bytes of a hole that are passed over at once, and bytes at either end of NULs that are read in
/// one look, unless the file system knows the hole
const MOST: u64 = 16 * 1024 * 1024;

/// Where the text of a file with a size ends, at or behind an offset: NULs at its end are not text
/// yet.
pub(crate) fn text_end(file: &dyn Handle, from: u64, size: u64) -> io::Result<u64> {
    Ok(last_text(file, from, size, u64::MAX)?.unwrap_or(from))
}

/// The same for one look at a file of which the text is known up to an offset. An app may have
/// filled it with gigabytes of NULs, which are not all read each time: behind some megabytes, later
/// looks find more text.
pub(crate) fn next_text_end(file: &dyn Handle, from: u64, size: u64) -> io::Result<u64> {
    match last_text(file, from, size, MOST)? {
        Some(end) => Ok(end),
        None => text_end(file, from, size.min(from + MOST)),
    }
}

/// Where the text before a size ends; `None` if it ends before this number of NULs.
fn last_text(file: &dyn Handle, from: u64, size: u64, most: u64) -> io::Result<Option<u64>> {
    let mut last = [0];
    if size <= from || (file.read_at(&mut last, size - 1)? == 1 && last != [0]) {
        return Ok(Some(size));
    }
    let (mut end, mut chunk, mut zeros) = (size, vec![0; CHUNK], 0);
    while end > from && zeros < most {
        // The size of a part doubles while the file system knows that it is a hole.
        let begin = unwritten(file, from, end)?;
        if begin < end {
            end = begin;
            continue;
        }
        let begin = end.saturating_sub(CHUNK as u64).max(from);
        let wanted = usize::try_from(end - begin).unwrap_or(CHUNK);
        let read = file.read_at(&mut chunk[..wanted], begin)?;
        if let Some(last) = chunk[..read].iter().rposition(|byte| *byte != 0) {
            return Ok(Some(begin + last as u64 + 1));
        }
        zeros += end - begin;
        end = begin;
    }
    Ok((end <= from).then_some(from))
}

/// The least offset from which on the file system knows a hole up to an end, as far as a few
/// questions find it; the end, if there is no hole before it
fn unwritten(file: &dyn Handle, from: u64, end: u64) -> io::Result<u64> {
    let (mut begin, mut length) = (end, CHUNK as u64);
    while begin > from {
        let earlier = end.saturating_sub(length).max(from);
        if file.data_from(earlier)? < end {
            break;
        }
        (begin, length) = (earlier, length.saturating_mul(2));
    }
    Ok(begin)
}

/// Where NULs at an offset end, before a limit. Of more than some megabytes it is the end of a
/// part.
pub(crate) fn hole_end(file: &dyn Handle, from: u64, limit: u64) -> io::Result<u64> {
    let (mut at, mut chunk) = (from, vec![0; CHUNK]);
    while at < limit && at - from < MOST {
        let data = file.data_from(at)?.min(limit);
        let wanted = usize::try_from(limit - data).unwrap_or(CHUNK).min(CHUNK);
        let read = file.read_at(&mut chunk[..wanted], data)?;
        if let Some(first) = chunk[..read].iter().position(|byte| *byte != 0) {
            return Ok(data + first as u64);
        }
        if read == 0 {
            return Ok(data);
        }
        at = data + read as u64;
    }
    Ok(at)
}

/// The first hole among these bytes
pub(crate) fn hole(bytes: &[u8]) -> Option<Range<usize>> {
    // Each hole has a byte at one of these places.
    let places = (0..bytes.len()).step_by(HOLE).filter(|at| bytes[*at] == 0);
    let mut runs = places.map(|at| {
        let begin = bytes[..at].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let end = bytes[at..].iter().position(|byte| *byte != 0).map_or(bytes.len(), |length| at + length);
        begin..end
    });
    runs.find(|run| run.len() >= HOLE)
}

/// The length of these bytes without NULs at their end
pub(crate) fn trimmed(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        os::unix::fs::FileExt,
        sync::atomic::{AtomicU64, Ordering::Relaxed},
    };

    use proptest::prelude::*;

    use super::*;
    use crate::content::volume::Stat;

    /// A file with these texts at their offsets, and zeros between; some of the zeros are written
    fn file(texts: &[(u64, &str)], zeros: &[u64], size: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        for (offset, text) in texts {
            file.write_all_at(text.as_bytes(), *offset).unwrap();
        }
        for offset in zeros {
            file.write_all_at(&[0; 100], *offset).unwrap();
        }
        file
    }

    #[test]
    fn zeros_at_the_end_are_no_text() {
        const MIB: u64 = 1 << 20;
        let far = file(&[(0, "one\n"), (3 * MIB + 7, "two\0")], &[MIB, 40 * MIB], 64 * MIB);
        assert_eq!(text_end(&far, 0, 64 * MIB).unwrap(), 3 * MIB + 10);
        assert_eq!(text_end(&far, 3 * MIB + 10, 64 * MIB).unwrap(), 3 * MIB + 10);
        assert_eq!(text_end(&far, 0, 3 * MIB).unwrap(), 4);
        assert_eq!(text_end(&far, 0, 4).unwrap(), 4);
        assert_eq!(text_end(&far, 9, 4).unwrap(), 4);
        assert_eq!(hole_end(&far, 4, 3 * MIB + 10).unwrap(), 3 * MIB + 7);
        assert_eq!(hole_end(&far, 4, MIB).unwrap(), MIB);
        assert_eq!(hole_end(&far, 0, MIB).unwrap(), 0);
        let empty = file(&[], &[0, CHUNK as u64], 4 * MIB);
        assert_eq!(text_end(&empty, 0, 4 * MIB).unwrap(), 0);
    }

    /// A file on a file system that knows no holes, and the bytes that were read of it
    #[derive(Debug)]
    struct Dense(File, AtomicU64);

    impl Handle for Dense {
        fn stat(&self) -> io::Result<Stat> {
            self.0.stat()
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            self.1.fetch_add(buffer.len() as u64, Relaxed);
            Handle::read_at(&self.0, buffer, offset)
        }

        fn data_from(&self, offset: u64) -> io::Result<u64> {
            Ok(offset)
        }
    }

    #[test]
    fn a_look_does_not_read_all_zeros_that_were_written() {
        const GIB: u64 = 1 << 30;
        let end = |texts: &[(u64, &str)], from| {
            let dense = Dense(file(texts, &[], GIB), AtomicU64::new(0));
            let end = next_text_end(&dense, from, GIB).unwrap();
            let read = dense.1.into_inner();
            assert!(read <= 2 * MOST + 2, "{read} bytes");
            end
        };
        assert_eq!(end(&[(0, "one\n")], 0), 4);
        assert_eq!(end(&[(0, "one\ntwo\n")], 4), 8);
        assert_eq!(end(&[(0, "one\n")], 4), 4);
        assert_eq!(end(&[(0, "one\n"), (GIB - MOST, "two\n")], 4), GIB - MOST + 4);
        // A later look finds the rest.
        assert_eq!(end(&[(0, "one\n"), (MOST - 2, "more\n")], 0), MOST);
        assert_eq!(end(&[(0, "one\n"), (MOST - 2, "more\n")], MOST), MOST + 3);
    }

    proptest! {
        #[test]
        fn a_hole_is_found_where_it_is(before in 0..300usize, zeros in 0..300usize, after in 0..300usize) {
            let bytes = [vec![b'a'; before], vec![0; zeros], vec![b'a'; after]].concat();
            let expected = (zeros >= HOLE).then_some(before..before + zeros);
            prop_assert_eq!(hole(&bytes), expected);
            prop_assert_eq!(trimmed(&bytes), if after > 0 { bytes.len() } else { before });
        }
    }
}
