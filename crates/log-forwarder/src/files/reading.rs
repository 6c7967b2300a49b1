//! The bytes behind a cursor: the next batch of whole records, or why there is none.

use std::{io, time::Instant};

use memchr::memchr_iter;

use crate::{
    content::identity::{HEAD_LIMIT, read_at},
    files::generation::Generation,
    format::Format,
    records::{
        batch::{Batch, Mark},
        framing::{Frame, frame},
        pool::{Buffer, Pool},
    },
};

/// Bytes to read beyond the known size, because a file that grew may have grown further
const BEYOND: u64 = 4096;

/// Lines of a batch, unless one record has more: outputs write much around each, and empty lines must not make a body of a
/// hundred megabytes.
const MOST_LINES: usize = 4096;

/// The result of one look at the bytes behind a cursor
pub(crate) enum Reading {
    Nothing,
    Batch(Batch),
    /// Bytes that are lost for this reason
    Lost(u64, &'static str),
    /// The cursor moved over a hole at the head; look again.
    Hole(u64),
    /// The file holds something else now.
    Replaced,
}

/// Bounds of what is read at once
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) batch: usize,
    pub(crate) line: usize,
}

impl Generation {
    /// The next lines for an output that has none of this generation now.
    pub(crate) fn read(&mut self, key: u64, output: usize, bounds: Bounds, pool: &Pool) -> io::Result<Reading> {
        if !self.is_readable(output) {
            return Ok(Reading::Nothing);
        }
        // Enough to tell the head.
        let mut size = bounds.batch.max(HEAD_LIMIT);
        loop {
            let Some(file) = &self.file else { return Ok(Reading::Nothing) };
            let cursor = &mut self.cursors[output];
            let anchored = cursor.anchor.bytes().len();
            let wanted = size.min(length(self.seen - cursor.position + BEYOND));
            let mut buffer = pool.filled(anchored + wanted);
            let read = read_at(file, &mut buffer[..anchored + wanted], cursor.position - anchored as u64)?;
            let bytes = &buffer[anchored.min(read)..read];
            // Shorter than it was: truncated just now, and what there is may be something else.
            let is_short = bytes.len() < wanted.min(length(self.seen - cursor.position));
            let is_same = if cursor.position == 0 {
                self.head.begins(bytes)
            } else {
                buffer[..anchored] == *cursor.anchor.bytes()
            };
            if is_short || !is_same {
                return Ok(Reading::Replaced);
            }
            let end = cursor.position + bytes.len() as u64;
            // It may be larger than what is read at once.
            let is_hole = !cursor.skipping && cursor.anchor.bytes().iter().all(|byte| *byte == 0);
            if is_hole && self.ordinal > 0 && bytes[0] == 0 {
                let length = bytes.iter().take_while(|byte| **byte == 0).count();
                cursor.skip(&bytes[..length], false);
                return Ok(Reading::Hole(length as u64));
            }
            if end > self.seen {
                // It grows while we look: nothing has ended.
                (self.seen, self.grown, self.ended, self.still) = (end, Instant::now(), false, false);
            }
            let last = self.ended && end == self.seen;
            let (length, mark) = match frame(bytes, bounds.line, cursor.skipping, last) {
                Frame::Lines(lines) => match records(&self.source.treatment.format, &bytes[..lines]) {
                    // The last record may go on. One of several lines that is longer than a line may be goes in parts.
                    0 if !last && !self.still && bytes.len() <= bounds.line => {
                        if bytes.len() == size {
                            size = (size * 4).min(bounds.line + 1);
                            continue;
                        }
                        cursor.barren_end = end;
                        return Ok(Reading::Nothing);
                    }
                    0 => (lines, Mark::Whole),
                    length => (length, Mark::Whole),
                },
                Frame::Cut(length) => (length, Mark::Cut),
                Frame::Unfinished(length) => (length, Mark::Unfinished),
                Frame::Skip { length, ended } => {
                    cursor.skip(&bytes[..length], !ended);
                    return Ok(Reading::Lost(length as u64, "longer than --max-line"));
                }
                Frame::Partial if bytes.len() == size && size <= bounds.line => {
                    size = (size * 4).min(bounds.line + 1);
                    continue;
                }
                Frame::Partial => {
                    cursor.barren_end = end;
                    return Ok(Reading::Nothing);
                }
            };
            self.take_name(&buffer[anchored..anchored + length])?;
            let batch = self.batch(key, output, buffer, anchored, length, mark);
            return Ok(Reading::Batch(batch));
        }
    }

    fn batch(&mut self, key: u64, output: usize, buffer: Buffer, from: usize, length: usize, mark: Mark) -> Batch {
        let cursor = &mut self.cursors[output];
        let batch = Batch::new((self.source.clone(), key), mark, cursor.position, buffer, from..from + length);
        cursor.hand_out(&batch);
        batch
    }
}

/// How many bytes of whole lines are complete records, of not too many lines.
fn records(format: &Format, lines: &[u8]) -> usize {
    let mut most = MOST_LINES;
    loop {
        let end = memchr_iter(b'\n', lines).nth(most - 1).map_or(lines.len(), |newline| newline + 1);
        match format.extent(&lines[..end]) {
            0 if end < lines.len() => most *= 4,
            extent => return extent,
        }
    }
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write, sync::Arc};

    use super::*;
    use crate::files::cursor::Cursor;

    #[test]
    fn what_grows_while_it_is_read_has_not_ended() {
        let (bounds, pool) = (Bounds { batch: 64, line: 64 }, Pool::default());
        let mut writer = tempfile::tempfile().unwrap();
        let new = |file: &File| {
            let input = ("/logs/app.log".into(), Arc::default());
            let (file, metadata) = (file.try_clone().unwrap(), file.metadata().unwrap());
            Generation::new(input, "/logs".into(), file, &metadata, vec![Cursor::default()])
        };
        writer.write_all(b"one\ntw").unwrap();
        let mut generation = new(&writer);
        assert!(generation.look(&writer.metadata().unwrap(), Instant::now()).unwrap());
        generation.ended = true;
        let Reading::Batch(batch) = generation.read(0, 0, bounds, &pool).unwrap() else { panic!("no batch") };
        assert_eq!(batch.bytes(), b"one\n");
        generation.cursors[0].settle(&batch);
        writer.write_all(b"o").unwrap();
        assert!(matches!(generation.read(0, 0, bounds, &pool).unwrap(), Reading::Nothing));
        assert!(!generation.ended);
    }
}
