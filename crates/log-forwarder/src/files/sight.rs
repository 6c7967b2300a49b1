//! Asks the system about an open file, and compares bytes where something suggests that they have changed.

use std::io;

use super::{
    known::KnownFile,
    observe::{Marks, Sighting},
    trust::{MOST_REWRITES, Trust},
};
use crate::content::{
    Content,
    fingerprint::{ANCHOR_LIMIT, Anchor, HEAD_LIMIT, Head},
    volume::{Handle, Kind, Stat},
    zeros::{HOLE, next_text_end, trimmed},
};

/// Bytes that are tried behind the end of a file about which the system contradicts itself
const TRIED: usize = 4096;

/// The system's answer about an open file. The bytes are compared when something suggests that they have changed.
pub(super) fn sight(file: &KnownFile, content: &Content, is_suspicious: bool) -> Sighting {
    let sighted = content.stat().and_then(|stat| match content {
        Content::Packed(_) => Ok((stat, 0, Marks::Unread)),
        Content::Plain(_) if file.trust == Trust::None => {
            let stat = by_reads(file, content, stat)?;
            Ok((stat, 0, Marks::Same(file.head.grown(content, stat.size)?.unwrap_or(file.head))))
        }
        Content::Plain(handle) => {
            let tried = if stat.size < file.seen {
                Some(file.seen - 1)
            } else if is_suspicious && stat.size > 0 || file.trust == Trust::Limited && stat.size > file.seen {
                Some(stat.size - 1)
            } else {
                None
            };
            if let Some(offset) = tried
                && contradicts(handle.as_ref(), stat.size, offset)?
            {
                return Ok((stat, 0, Marks::Contradictory));
            }
            let size = text_size(file, handle.as_ref(), &stat)?;
            let zeros = stat.size - size;
            let has_changed = size > file.seen || zeros != file.zeros || is_written(file, &stat);
            let marks = match () {
                () if size < file.seen => Marks::Unread,
                () if has_changed || is_suspicious => marks(file, content, size, is_suspicious)?,
                () => Marks::Unread,
            };
            Ok((Stat { size, ..stat }, zeros, marks))
        }
    });
    match sighted {
        Ok((stat, zeros, marks)) => Sighting::Open { stat, zeros, marks },
        // On a mount that finds an open file by its path, which leads to nothing now
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.trust != Trust::Full => Sighting::Strayed,
        Err(error) => Sighting::Failed(lifecycle::io_text(&error)),
    }
}

fn is_written(file: &KnownFile, stat: &Stat) -> bool {
    stat.modified != file.modified || stat.is_another(file.born)
}

/// The size of a file without the NULs at its end that are not text yet. An app that maps its file into memory changes it without
/// a change of its time or size.
pub(super) fn text_size(file: &KnownFile, handle: &dyn Handle, stat: &Stat) -> io::Result<u64> {
    let is_as_known = stat.size == file.size() && !is_written(file, stat);
    let mut next = [0; HOLE];
    if stat.size > file.seen && is_as_known && handle.read_at(&mut next, file.seen)? > 0 && trimmed(&next) == 0 {
        return Ok(file.seen);
    }
    next_text_end(handle, file.seen, stat.size)
}

/// Whether a size that the system states twice is belied by a read between the two: of a byte behind it, or of none before it.
fn contradicts(handle: &dyn Handle, size: u64, offset: u64) -> io::Result<bool> {
    let has_byte = handle.read_at(&mut [0], offset)? == 1;
    Ok(has_byte != (offset < size) && handle.stat()?.size == size)
}

/// The file with the size that reads find. If it has other bytes than before, those behind its end are another content's.
fn by_reads(file: &KnownFile, content: &Content, stat: Stat) -> io::Result<Stat> {
    let mut next = [0; TRIED];
    let read = content.read_at(&mut next, file.seen)?;
    let text = trimmed(&next[..read]) as u64;
    let more = if text > 0 && file.fingerprint().read_in(content)?.is_some() { text } else { 0 };
    Ok(Stat { size: file.seen + more, modified: file.modified, links: stat.links.max(1), ..stat })
}

/// Whether the open file still begins as it did, and has the bytes before the foremost cursor. Reads the head as far as it goes
/// now.
fn marks(file: &KnownFile, content: &Content, size: u64, is_suspicious: bool) -> io::Result<Marks> {
    if is_suspicious && !file.fingerprint().is_of(content)? {
        return change(file, content, size);
    }
    let foremost = file.foremost();
    if let Some(cursor) = foremost
        && Anchor::read(content, cursor.position)? != cursor.anchor
    {
        return change(file, content, size);
    }
    if file.head.length == HEAD_LIMIT && foremost.is_some_and(|cursor| cursor.position > 0) {
        return Ok(Marks::Same(file.head));
    }
    match file.head.grown(content, size)? {
        Some(head) => Ok(Marks::Same(head)),
        None => change(file, content, size),
    }
}

/// Where the bytes are not what they were: whether they stay so for a moment, and whether more has changed than the head. A log
/// whose app counts its lines in the first one begins otherwise at each look.
fn change(file: &KnownFile, content: &Content, size: u64) -> io::Result<Marks> {
    let limit = usize::try_from(size).unwrap_or(HEAD_LIMIT).min(HEAD_LIMIT);
    let position = file.foremost().map_or(0, |cursor| cursor.position);
    let now = || io::Result::Ok((Head::read(content, limit)?, Anchor::read(content, position)?));
    let (head, anchor) = now()?;
    if now()? != (head, anchor) {
        return Ok(Marks::Unsteady);
    }
    let mut is_rewritten = position >= ANCHOR_LIMIT as u64 || file.rewrites >= MOST_REWRITES;
    for cursor in file.cursors.iter().filter(|cursor| !cursor.is_closed) {
        is_rewritten &= Anchor::read(content, cursor.position)?.hash() == cursor.anchor.hash();
    }
    Ok(if is_rewritten { Marks::Rewritten(head) } else { Marks::Other })
}

/// A sighting of a file that is as it was
pub(super) fn unchanged(file: &KnownFile) -> Sighting {
    let stat = Stat {
        inode: file.inode,
        born: file.born,
        size: file.seen,
        modified: file.modified,
        links: 1,
        kind: Kind::Regular,
    };
    Sighting::Closed { stat, zeros: file.zeros, head: file.head }
}
