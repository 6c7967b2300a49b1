//! Finds a content again among the files of a directory: the copy of a truncated file, plain or compressed.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Content,
    fingerprint::{ANCHOR_LIMIT, Anchor, Fingerprint},
    unpacked::decoder,
    volume::{Entry, Handle, Stat, Volume},
};

/// The directory is listed at most this often for one search, because a file may be renamed before it is opened.
const MOST_LISTINGS: usize = 4;
/// Bytes of a compressed file that are compared at once
const CHUNK: usize = 64 * 1024;
/// Compressing tools keep the time of a file, some of them without its fraction.
const SECOND: i64 = 1_000_000_000;
/// The first bytes of a file in the format of gzip (RFC 1952)
const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// A content that is looked for
#[derive(Debug)]
pub(crate) struct Sought {
    /// The directory in which its file was
    pub(crate) home: PathBuf,
    /// The path at which it was. A file that was made later and is there now is no copy, though it may begin alike.
    pub(crate) path: PathBuf,
    pub(crate) born: Option<i64>,
    /// When the content was last written, in nanoseconds since 1970
    pub(crate) written: i64,
    pub(crate) content: Fingerprint,
}

/// A file that holds the content as it is
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) path: PathBuf,
    pub(crate) content: Content,
    pub(crate) stat: Stat,
}

/// A compressed file that holds it
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn Handle>,
    pub(crate) stat: Stat,
    /// Of the content
    pub(crate) length: u64,
    /// The bytes before each place of the fingerprint
    pub(crate) anchors: BTreeMap<u64, Anchor>,
}

/// The state of a compressed file
#[derive(Debug)]
pub(crate) enum Verdict {
    Other,
    /// It begins as it should and has no end yet; its present size.
    Unfinished(u64),
    Same(Packed),
}

impl Sought {
    /// A file that has this content as it is, and that the caller does not rule out.
    pub(crate) fn find(&self, volume: &dyn Volume, is_other: impl Fn(&Stat) -> bool) -> Option<Copy> {
        for _ in 0..MOST_LISTINGS {
            let mut has_moved = false;
            for Entry { path, stat: listed } in self.candidates(volume, &is_other) {
                let opened = volume.open(&path).and_then(|handle| Ok((handle.stat()?, Content::Plain(handle))));
                has_moved |= match &opened {
                    Ok((stat, _)) => stat.inode != listed.inode,
                    Err(error) => error.kind() == io::ErrorKind::NotFound,
                };
                let Ok((stat, content)) = opened else { continue };
                if !is_other(&stat) && self.content.is_of(&content).unwrap_or(false) {
                    return Some(Copy { path, content, stat });
                }
            }
            if !has_moved {
                break;
            }
        }
        None
    }

    /// The files of the directory that may have it, the largest first: an earlier copy of the same content would be shorter.
    pub(crate) fn candidates(&self, volume: &dyn Volume, is_other: impl Fn(&Stat) -> bool) -> Vec<Entry> {
        if self.content.head.length == 0 {
            return Vec::new();
        }
        // Clocks can be set. Many files may share a head, so that a file that has only the head in common must also be as new.
        let is_new = |stat: &Stat| stat.modified > self.written - SECOND;
        let has_anchor = self.content.anchors.iter().any(|(position, _)| *position > 0);
        let successor = volume.stat(&self.path).ok().filter(|stat| stat.is_another(self.born)).map(|stat| stat.inode);
        let fits = |stat: &Stat| {
            stat.is_file() && Some(stat.inode) != successor && !is_other(stat) && (has_anchor || is_new(stat))
        };
        let entries = volume.list(&self.home).unwrap_or_default().into_iter().filter(|entry| fits(&entry.stat));
        let mut candidates: Vec<_> = entries.collect();
        candidates.sort_by_cached_key(|Entry { path, stat }| Reverse((is_new(stat), stat.size, path.clone())));
        candidates
    }

    /// Whether a compressed file holds it. Reads it to its end, unless it begins with something else.
    pub(crate) fn unpack(&self, volume: &dyn Volume, path: &Path) -> io::Result<Verdict> {
        let file = volume.open(path)?;
        let mut decoder = decoder(file.clone());
        let (mut chunk, mut head, mut length) = (vec![0; CHUNK], Vec::new(), 0);
        let positions = self.content.anchors.iter().map(|(position, _)| *position);
        let mut anchors: BTreeMap<_, _> = positions.map(|position| (position, Anchor::default())).collect();
        loop {
            let bytes = match decoder.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => &chunk[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Verdict::Unfinished(file.stat()?.size));
                }
                // Not the format, or damaged
                Err(_) => return Ok(Verdict::Other),
            };
            let missing = self.content.head.length.saturating_sub(head.len());
            if missing > 0 {
                head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
                if missing <= bytes.len() && !self.content.head.begins(&head) {
                    return Ok(Verdict::Other);
                }
            }
            for (position, anchor) in &mut anchors {
                anchor.extend(before(*position, length, bytes));
            }
            length += bytes.len() as u64;
        }
        let has = |(position, hash): &(u64, u64)| *position <= length && anchors[position].hash() == *hash;
        if self.content.head.begins(&head) && self.content.anchors.iter().all(has) {
            return Ok(Verdict::Same(Packed { path: path.to_path_buf(), stat: file.stat()?, file, length, anchors }));
        }
        Ok(Verdict::Other)
    }
}

/// Those of these bytes, which begin at an offset, that belong to the anchor of a position
fn before(position: u64, offset: u64, bytes: &[u8]) -> &[u8] {
    let within = |place: u64| usize::try_from(place.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[within(position.saturating_sub(ANCHOR_LIMIT as u64))..within(position)]
}

/// Opens a file if it has this content. After an error this is not known.
pub(crate) fn open_as(volume: &dyn Volume, content: &Fingerprint, path: &Path) -> io::Result<Option<Content>> {
    let file = match volume.open(path) {
        Ok(file) => Content::Plain(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(content.is_of(&file)?.then_some(file))
}

/// Whether a file is compressed, or soon will be.
pub(crate) fn is_packed(volume: &dyn Volume, path: &Path) -> bool {
    let mut magic = [0; 2];
    let Ok(file) = volume.open(path) else { return false };
    match file.read_at(&mut magic, 0) {
        Ok(0) => path.extension().is_some_and(|extension| extension == "gz"),
        Ok(_) => magic == MAGIC,
        Err(_) => false,
    }
}
