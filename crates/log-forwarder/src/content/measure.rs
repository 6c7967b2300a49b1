//! Unpacks a compressed file once to its end: whether it holds a content, and how long that is.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    decoder::{Decoder, Fault},
    fingerprint::{ANCHOR_LIMIT, Anchor, Anchors, Fingerprint, HEAD_LIMIT, Head},
    foreign::{Kind, kind},
    unpacked::Unpacked,
    volume::{Handle, Inode, Stat, Volume},
    zeros::trimmed,
};

/// A directory is listed at most this often for one search, because a file may be renamed before it
/// is opened.
pub(super) const MOST_LISTINGS: usize = 4;
/// Bytes that are unpacked at once
const CHUNK: usize = 64 * 1024;

/// A compressed file that holds a content
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) path: PathBuf,
    pub(crate) unpacked: Unpacked,
    /// Of the compressed file, before it was read
    pub(crate) stat: Stat,
    /// Of the content, without NULs at its end
    pub(crate) length: u64,
    pub(crate) head: Head,
    /// The bytes before each place of the fingerprint
    pub(crate) anchors: Anchors,
    /// The bytes before the end
    pub(crate) end: Anchor,
}

/// The state of a compressed file
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It holds another content than the one that was expected.
    Other,
    /// It begins as it should and has no end yet.
    Unfinished(Stat),
    /// No lines can be read from it, for this reason.
    Unfit(Stat, &'static str),
    Same(Box<Packed>),
}

/// A compressed file that was found, and whose content is not known
#[derive(Debug)]
pub(crate) struct Unmeasured {
    /// The directory in which it is
    pub(crate) home: Arc<Path>,
    pub(crate) inode: Inode,
    pub(crate) born: Option<i64>,
    /// As much of the content as is known from before
    pub(crate) content: Fingerprint,
}

impl Unmeasured {
    /// Measures the file under its present name; `None` if it has none in its directory.
    pub(crate) fn measure(&self, volume: &dyn Volume) -> io::Result<Option<Verdict>> {
        let is_this = |stat: &Stat| stat.is_of(self.inode, self.born);
        for _ in 0..MOST_LISTINGS {
            let entries = match volume.list(&self.home) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                listed => listed?,
            };
            let Some(entry) = entries.into_iter().find(|entry| is_this(&entry.stat)) else { return Ok(None) };
            match volume.open(&entry.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                // Another file may have come to the path in between.
                Ok(file) if !is_this(&file.stat()?) => {}
                Ok(file) => return measure(file, &entry.path, &self.content).map(Some),
            }
        }
        Ok(None)
    }
}

/// Unpacks a file to its end, unless it begins with something else than this content.
pub(super) fn measure(file: Arc<dyn Handle>, path: &Path, content: &Fingerprint) -> io::Result<Verdict> {
    let stat = file.stat()?;
    let mut decoder = Decoder::new(file.clone())?;
    let (mut chunk, mut beginning) = (vec![0; CHUNK], Vec::with_capacity(HEAD_LIMIT));
    let positions = content.anchors.iter().map(|(position, _)| *position);
    let mut anchors: Anchors = positions.map(|position| (position, Anchor::default())).collect();
    let mut text = Text::default();
    loop {
        let bytes = match decoder.fill(&mut chunk).map_err(Fault::from) {
            Ok(0) => break,
            Ok(read) => &chunk[..read],
            Err(Fault::Unfinished) => return Ok(Verdict::Unfinished(file.stat()?)),
            Err(Fault::Unfit(reason)) => return Ok(Verdict::Unfit(stat, reason)),
            Err(Fault::System(error)) => return Err(error),
        };
        if beginning.is_empty() {
            beginning.extend_from_slice(&bytes[..bytes.len().min(HEAD_LIMIT)]);
            if !content.head.begins(&beginning) {
                return Ok(Verdict::Other);
            }
            if let Some(reason) = unfit(&beginning) {
                return Ok(Verdict::Unfit(stat, reason));
            }
        }
        for (position, anchor) in &mut anchors {
            anchor.extend(before(*position, text.read, bytes));
        }
        text.extend(bytes);
    }
    let has = |(position, hash): &(u64, u64)| *position <= text.read && anchors[position].hash() == *hash;
    if !content.head.begins(&beginning) || !content.anchors.iter().all(has) {
        return Ok(Verdict::Other);
    }
    let now = file.stat()?;
    if (now.size, now.modified) != (stat.size, stat.modified) {
        return Ok(Verdict::Unfinished(now));
    }
    let unpacked = Unpacked::new(file);
    // Readers come to their places here, because it can take seconds.
    for position in anchors.keys().filter(|position| (1..text.length).contains(*position)) {
        unpacked.read_at(&mut chunk, position.saturating_sub(ANCHOR_LIMIT as u64))?;
    }
    beginning.truncate(usize::try_from(text.length).unwrap_or(HEAD_LIMIT));
    let (head, Text { length, end, .. }) = (Head::of(&beginning), text);
    Ok(Verdict::Same(Packed { path: path.to_path_buf(), unpacked, stat, length, head, anchors, end }.into()))
}

/// The text of a content: NULs at its end are none.
#[derive(Default)]
struct Text {
    /// Bytes up to its end
    length: u64,
    /// The bytes before its end
    end: Anchor,
    /// Bytes that were read
    read: u64,
}

impl Text {
    fn extend(&mut self, bytes: &[u8]) {
        let text = trimmed(bytes);
        if text > 0 {
            let zeros = usize::try_from(self.read - self.length).unwrap_or(usize::MAX).min(ANCHOR_LIMIT);
            self.end.extend(&[0; ANCHOR_LIMIT][..zeros]);
            self.end.extend(&bytes[..text]);
            self.length = self.read + text as u64;
        }
        self.read += bytes.len() as u64;
    }
}

/// Why the content of a compressed file cannot be read as lines
fn unfit(beginning: &[u8]) -> Option<&'static str> {
    match kind(beginning) {
        Kind::Lines => None,
        Kind::Compressed(_) => Some("it is compressed twice: compress it once"),
        Kind::Foreign(reason) => Some(reason),
    }
}

/// Those of these bytes, which begin at an offset, that belong to the anchor of a position
fn before(position: u64, offset: u64, bytes: &[u8]) -> &[u8] {
    let within = |place: u64| usize::try_from(place.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[within(position.saturating_sub(ANCHOR_LIMIT as u64))..within(position)]
}

/// Any bytes as a compressed file: if it can be measured, reads find as many bytes as were
/// measured, and its end.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_sound(packed: &[u8]) {
    use std::io::Write;
    let memory = rustix::fs::memfd_create("packed", rustix::fs::MemfdFlags::CLOEXEC).expect("memory");
    let mut file = std::fs::File::from(memory);
    file.write_all(packed).expect("room");
    let content = Fingerprint { head: Head::default(), anchors: Vec::new() };
    let verdict = measure(Arc::new(file), Path::new("packed"), &content).expect("a file in memory");
    let Verdict::Same(packed) = verdict else { return };
    let (mut text, mut buffer) = (Text::default(), [0; 3000]);
    while let Ok(read @ 1..) = packed.unpacked.read_at(&mut buffer, text.read) {
        text.extend(&buffer[..read]);
    }
    assert_eq!((text.length, &text.end), (packed.length, &packed.end));
}
