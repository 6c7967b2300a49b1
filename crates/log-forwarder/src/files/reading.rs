//! The bytes behind a cursor: the next span of whole records, or why there is none. Read-only.

use std::{io, sync::Arc};

use super::{
    cursor::Cursor,
    known::{Key, KnownFile},
    trust::Trust,
};
use crate::{
    content::{
        Content,
        fingerprint::{HEAD_LIMIT, name},
        foreign::{BYTE_ORDER_MARK, Kind, kind},
        zeros::{HOLE, hole, hole_end, trimmed},
    },
    format::Format,
    records::{
        complete::{complete_records, whole_lines},
        framing::{Frame, frame},
        pool::Pool,
        span::{Mark, Source, Span},
    },
};

/// Bytes to read beyond the known size, because a file may have grown since, or go on at its end
const BEYOND: u64 = 4096;

/// The result of one look at the bytes behind a cursor
#[derive(Debug)]
pub(crate) enum Reading {
    Nothing,
    /// The next record is longer than the room.
    NoRoom,
    /// No record ends before this offset.
    NoNewlineBefore(u64),
    Span(Span),
    /// Bytes of a line that is too long, with its end or not
    TooLong {
        bytes: Vec<u8>,
        within_cut: bool,
    },
    /// A hole before the next line, up to this offset
    Hole(u64),
    /// The mark with which some editors begin a file of UTF-8; it is not part of the text.
    ByteOrderMark,
    /// No lines that can be read
    Foreign,
    /// The file is shorter than it was, or holds something else.
    Suspicious,
}

/// A reading, and the size that the file has at least
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) reading: Reading,
    pub(crate) size: u64,
}

/// Bounds of what is read at once
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) batch: usize,
    pub(crate) line: usize,
    /// Whether a record is read that is longer than that
    pub(crate) may_grow: bool,
}

/// The next records behind a cursor
pub(crate) fn read(file: &KnownFile, key: Key, cursor: &Cursor, bounds: Bounds, pool: &Pool) -> io::Result<Read> {
    read_to(complete_records, (file, key), cursor, bounds, pool)
}

/// The next whole lines behind a cursor, which may complete the record of another file
pub(crate) fn read_lines(file: &KnownFile, key: Key, cursor: &Cursor, bounds: Bounds, pool: &Pool) -> io::Result<Read> {
    read_to(|_, lines, longest| whole_lines(lines, longest), (file, key), cursor, bounds, pool)
}

/// The same, of which a function finds the extent in whole lines
fn read_to(
    extent: fn(&Format, &[u8], usize) -> usize,
    (file, key): (&KnownFile, Key),
    cursor: &Cursor,
    bounds: Bounds,
    pool: &Pool,
) -> io::Result<Read> {
    let nothing = |reading| Ok(Read { reading, size: file.seen });
    let Some(content) = file.content() else { return nothing(Reading::Nothing) };
    // Enough to tell the head.
    let mut most = bounds.batch.max(HEAD_LIMIT);
    // With exactly the known bytes, small appends cost one read each.
    let beyond = if bounds.may_grow || file.ended || file.is_quiet { BEYOND } else { 0 };
    loop {
        let anchored = cursor.anchor.bytes().len();
        let wanted = most.min(length(file.seen - cursor.position + beyond));
        let mut buffer = pool.filled(anchored + wanted);
        let read = content.read_at(&mut buffer[..anchored + wanted], cursor.position - anchored as u64)?;
        let bytes = &buffer[anchored.min(read)..read];
        let is_short = bytes.len() < wanted.min(length(file.seen - cursor.position));
        let is_same =
            if cursor.position == 0 { file.head.begins(bytes) } else { buffer[..anchored] == *cursor.anchor.bytes() };
        if !is_same || (is_short && file.trust != Trust::None) {
            return nothing(Reading::Suspicious);
        }
        // NULs behind the known end are not text yet.
        let known = length(file.seen - cursor.position).min(bytes.len());
        let bytes = &bytes[..trimmed(bytes).max(known)];
        let end = cursor.position + bytes.len() as u64;
        let size = end.max(file.seen);
        if let Some(hole) = hole_before(file, content, cursor, bytes)? {
            return Ok(Read { reading: Reading::Hole(hole), size });
        }
        if cursor.position == 0 && bytes.starts_with(BYTE_ORDER_MARK) {
            return Ok(Read { reading: Reading::ByteOrderMark, size });
        }
        if cursor.position == 0 && !content.is_packed() && kind(bytes) != Kind::Lines {
            return Ok(Read { reading: Reading::Foreign, size });
        }
        let (ended, is_quiet) = if end > file.seen { (false, false) } else { (file.ended, file.is_quiet) };
        // To compare the head, more bytes can be read than the batch has room for.
        let bytes = if bounds.may_grow { bytes } else { &bytes[..bytes.len().min(bounds.batch)] };
        // No line goes on behind a hole.
        let text = hole(bytes).map_or(bytes.len(), |hole| hole.start);
        let is_before_hole = text < bytes.len();
        let bytes = &bytes[..text];
        let reaches_end = cursor.position + bytes.len() as u64 == size;
        let (is_last, is_quiet) = (is_before_hole || (ended && reaches_end), is_quiet && reaches_end);
        let mut is_sealed = false;
        let framed = match frame(bytes, bounds.line, cursor.within_cut, is_last) {
            Frame::Lines(lines) => {
                let format = &file.source.treatment.format;
                let complete = extent(format, &bytes[..lines], bounds.line);
                // A record that ended by silence, and a part of a long one, get no more lines.
                is_sealed = format.joins_lines() && (complete == 0 || lines > bounds.line);
                match complete {
                    // The last record may go on. One of several lines that is longer than a line
                    // may be goes in parts.
                    0 if !is_last && !is_quiet && bytes.len() <= bounds.line => None,
                    0 => Some((whole_lines(&bytes[..lines], bounds.line), Mark::Whole)),
                    length => Some((length, Mark::Whole)),
                }
            }
            Frame::Cut(length) => Some((length, Mark::Cut)),
            Frame::Unfinished(length) => Some((length, Mark::Unfinished)),
            Frame::Skip { length, ended } => {
                let reading = Reading::TooLong { bytes: bytes[..length].to_vec(), within_cut: !ended };
                return Ok(Read { reading, size });
            }
            Frame::Partial => None,
        };
        match framed {
            Some((length, mark)) => {
                let source = source(file, content, &bytes[..length])?;
                buffer.fit(anchored + length);
                let mut span = Span::new((source, key), mark, cursor.position, buffer, anchored..anchored + length);
                span.is_sealed |= is_sealed;
                return Ok(Read { reading: Reading::Span(span), size });
            }
            // No record ends here, but there are more bytes.
            None if bytes.len() == bounds.batch && !bounds.may_grow => return nothing(Reading::NoRoom),
            None if bytes.len() == most && most <= bounds.line => most = (most * 4).min(bounds.line + 1),
            None => return Ok(Read { reading: Reading::NoNewlineBefore(end), size }),
        }
    }
}

/// Where a hole ends that stands before a line of a file: an app that does not append goes on at
/// its old offset after a truncation, and the file system makes the bytes before it zero. At the
/// head of a truncated file, few NULs are a hole too.
fn hole_before(file: &KnownFile, content: &Content, cursor: &Cursor, bytes: &[u8]) -> io::Result<Option<u64>> {
    if bytes.first() != Some(&0) {
        return Ok(None);
    }
    let zeros = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let is_hole = zeros >= HOLE;
    let Content::Plain(handle) = content else { return Ok(is_hole.then(|| cursor.position + zeros as u64)) };
    let is_at_head = !cursor.within_cut && cursor.anchor.bytes().iter().all(|byte| *byte == 0);
    let was_truncated = cursor.position > 0 || file.ordinal > 0;
    if is_hole || is_at_head && (was_truncated || handle.data_from(cursor.position)? > cursor.position) {
        let end = file.seen.max(cursor.position + bytes.len() as u64);
        return hole_end(handle.as_ref(), cursor.position, end).map(Some);
    }
    Ok(None)
}

/// The source of the file's spans, which has a name for collectors as soon as something was read
fn source(file: &KnownFile, content: &Content, beginning: &[u8]) -> io::Result<Arc<Source>> {
    if !file.source.generation.is_empty() {
        return Ok(file.source.clone());
    }
    let generation = name(&content.stat()?, file.ordinal, beginning).into();
    let (path, treatment) = (file.source.path.clone(), file.source.treatment.clone());
    Ok(Source { path, generation, treatment }.into())
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write, path::Path, sync::Arc, time::Instant};

    use prometheus::Registry;

    use super::*;
    use crate::{
        content::{
            fingerprint::Head,
            volume::{Handle, Stat},
        },
        files::{
            fate::Fate,
            growth::Growth,
            known::OutputId,
            ledger::Ledger,
            set::{Change, FileSet},
        },
        format::{FormatFlags, TimeFlags},
        records::treatment::Treatment,
    };

    const OUTPUT: OutputId = OutputId(0);

    /// A file that was seen with this text, and its writer
    fn seen(text: &[u8], format: Format, now: Instant) -> (FileSet, File) {
        let mut set = FileSet::new(Ledger::new(&Registry::new()).unwrap());
        set.apply(Change::AddOutput("stdout://".into()), now);
        let mut writer = tempfile::tempfile().unwrap();
        writer.write_all(text).unwrap();
        let file: Arc<File> = writer.try_clone().unwrap().into();
        let stat = file.stat().unwrap();
        let treatment = Treatment { format, ..Treatment::default() };
        let input = (Path::new("/logs/app.log").into(), treatment.into());
        let known = KnownFile::new(input, Path::new("/logs").into(), file, &stat, set.fresh_cursors(), now);
        set.apply(Change::Begin(0, known.into()), now);
        let Stat { size, modified, born, .. } = stat;
        let growth = Growth { size, zeros: 0, modified, born, head: Head::default() };
        set.apply(Change::Meet(0, Fate::Grow(growth)), now);
        (set, writer)
    }

    fn next(set: &FileSet, bounds: Bounds, pool: &Pool) -> io::Result<Read> {
        let file = set.get(0).unwrap();
        read(file, 0, &file.cursors[OUTPUT.0], bounds, pool)
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_has_not_ended() {
        let (bounds, pool, now) = (Bounds { batch: 64, line: 64, may_grow: true }, Pool::default(), Instant::now());
        let (mut set, mut writer) = seen(b"one\ntw", Format::default(), now);
        set.apply(Change::Meet(0, Fate::End), now);
        let found = |set: &FileSet| next(set, bounds, &pool).unwrap();
        let Reading::Span(span) = found(&set).reading else { panic!("no span") };
        assert_eq!(span.bytes(), b"one\n");
        assert!(span.room() < 64, "a batch may hold thousands of short files, and this one takes {}", span.room());
        set.apply(Change::HandOut(&span, OUTPUT), now);
        set.apply(Change::Settle(&span, OUTPUT), now);
        writer.write_all(b"o").unwrap();
        let grown = found(&set);
        assert!(matches!((grown.reading, grown.size), (Reading::NoNewlineBefore(7), 7)));
        set.apply(Change::Reach(0, 7), now);
        assert!(!set.get(0).unwrap().ended);
    }

    #[test]
    fn no_record_among_others_is_longer_than_a_line_may_be() {
        let now = Instant::now();
        let java = FormatFlags::default().format(None, "java".parse().ok().as_ref(), None, &TimeFlags::default());
        let long = "java.lang.IllegalStateException: no\n".to_owned() + &"\tat a.B.c(B.java:1)\n".repeat(30);
        let text = format!("INFO one\nINFO two\n{long}INFO three\nINFO four\n");
        let (mut set, _writer) = seen(text.as_bytes(), java.unwrap(), now);
        let bounds = Bounds { batch: 4096, line: 128, may_grow: true };
        let mut found = Vec::new();
        while let Reading::Span(span) = next(&set, bounds, &Pool::default()).unwrap().reading {
            found.push(String::from_utf8(span.bytes().to_vec()).unwrap());
            set.apply(Change::HandOut(&span, OUTPUT), now);
            set.apply(Change::Settle(&span, OUTPUT), now);
        }
        assert_eq!(found[0], "INFO one\n");
        assert!(found[1..].iter().all(|text| text.len() <= 128), "{found:?}");
        assert_eq!(found.concat() + "INFO four\n", text);
    }

    #[test]
    fn a_record_of_a_quiet_file_is_not_cut_where_the_room_of_a_batch_ends() {
        let now = Instant::now();
        let java = FormatFlags::default().format(None, "java".parse().ok().as_ref(), None, &TimeFlags::default());
        let trace = "java.lang.IllegalStateException: no\n".to_owned() + &"\tat a.B.c(B.java:1)\n".repeat(100);
        let (mut set, _writer) = seen(trace.as_bytes(), java.unwrap(), now);
        set.apply(Change::Meet(0, Fate::FinishRecord), now);
        let found = |batch, may_grow| {
            let bounds = Bounds { batch, line: 4096, may_grow };
            next(&set, bounds, &Pool::default()).unwrap().reading
        };
        assert!(matches!(found(300, false), Reading::NoRoom));
        assert!(matches!(found(300, true), Reading::Span(span) if span.bytes() == trace.as_bytes()));
        assert!(matches!(found(4096, false), Reading::Span(span) if span.bytes() == trace.as_bytes()));
    }
}
