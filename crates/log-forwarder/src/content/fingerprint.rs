//! The identity of a content: its first bytes, and the bytes before each cursor, never a name.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hasher,
    io,
};

use fnv::FnvHasher;
use serde::{Deserialize, Serialize};

use super::{Content, volume::Stat};

/// Bytes of a file's head that are compared
pub(crate) const HEAD_LIMIT: usize = 1024;
/// Bytes before a cursor that are compared
pub(crate) const ANCHOR_LIMIT: usize = 64;

/// A hash of the first bytes of a file, and of how many
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) hash: u64,
}

impl Head {
    /// The first bytes of a file now, at most this many.
    pub(crate) fn read(file: &Content, limit: usize) -> io::Result<Self> {
        let mut bytes = [0; HEAD_LIMIT];
        let length = file.read_at(&mut bytes[..limit.min(HEAD_LIMIT)], 0)?;
        Ok(Self::of(&bytes[..length]))
    }

    /// The head of a file that has these first bytes, of which there are no more than its limit
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len(), hash: hash(bytes) }
    }

    /// The head of a file whose text has grown to a size; `None` if it is not this one's or the file is shorter, truncated just now.
    pub(crate) fn grown(self, file: &Content, size: u64) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEAD_LIMIT];
        // NULs behind the text are no part of the head, because the next lines come in their place.
        let limit = usize::try_from(size).unwrap_or(HEAD_LIMIT).min(HEAD_LIMIT);
        let length = file.read_at(&mut bytes[..limit], 0)?;
        Ok((length == limit && self.begins(&bytes[..length])).then(|| Self::of(&bytes[..length])))
    }

    /// Whether these bytes, from the beginning of a file, are this head and maybe more.
    pub(crate) fn begins(self, bytes: &[u8]) -> bool {
        self.length == 0 || bytes.get(..self.length).is_some_and(|head| hash(head) == self.hash)
    }

    /// Whether a file begins so.
    pub(crate) fn is_of(self, file: &Content) -> io::Result<bool> {
        Ok(self.length == 0 || Self::read(file, self.length)? == self)
    }
}

/// The heads of these lengths, of a file that begins with these bytes
pub(super) fn heads<'a>(bytes: &'a [u8], lengths: &'a BTreeSet<usize>) -> impl Iterator<Item = Head> + 'a {
    let (mut hasher, mut from) = (FnvHasher::default(), 0);
    lengths.range(..=bytes.len()).map(move |length| {
        hasher.write(&bytes[from..*length]);
        from = *length;
        Head { length: *length, hash: hasher.finish() }
    })
}

/// The marks that a file must have to be the one that was read: its head, and the bytes before each place that was reached
#[derive(Debug)]
pub(crate) struct Fingerprint {
    pub(crate) head: Head,
    /// Positions, and hashes of the bytes before them
    pub(crate) anchors: Vec<(u64, u64)>,
}

impl Fingerprint {
    /// Whether a file that is not compressed has it.
    pub(crate) fn is_of(&self, file: &Content) -> io::Result<bool> {
        Ok(self.anchors_in(file)?.is_some())
    }

    /// The bytes before each place in a file that is not compressed; `None` if it has other marks
    pub(crate) fn anchors_in(&self, file: &Content) -> io::Result<Option<Anchors>> {
        let size = file.stat()?.size;
        if self.anchors.iter().any(|(position, _)| *position > size) { Ok(None) } else { self.read_in(file) }
    }

    /// The same of a file of whose size the system may say what is not true
    pub(crate) fn read_in(&self, file: &Content) -> io::Result<Option<Anchors>> {
        if !self.head.is_of(file)? {
            return Ok(None);
        }
        let mut anchors = Anchors::new();
        for (position, hash) in &self.anchors {
            let anchor = Anchor::read(file, *position)?;
            if anchor.hash() != *hash {
                return Ok(None);
            }
            anchors.insert(*position, anchor);
        }
        Ok(Some(anchors))
    }
}

/// Whether a file has bytes with this hash before a place
pub(super) fn has_mark(file: &Content, (position, hash): (u64, u64)) -> io::Result<bool> {
    Ok(Anchor::read(file, position)?.hash() == hash)
}

/// The bytes just before a cursor
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Bytes(Vec<u8>),
    /// Their hash, as a checkpoint says, as long as they have not been read
    Hash(u64),
}

/// The bytes before several places
pub(crate) type Anchors = BTreeMap<u64, Anchor>;

impl Default for Anchor {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Anchor {
    /// Reads it again.
    pub(crate) fn read(file: &Content, position: u64) -> io::Result<Self> {
        let length = usize::try_from(position).unwrap_or(usize::MAX).min(ANCHOR_LIMIT);
        let mut bytes = vec![0; length];
        let read = file.read_at(&mut bytes, position - length as u64)?;
        bytes.truncate(read);
        Ok(Self::Bytes(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Hash(_) => &[],
        }
    }

    /// The cursor has moved over these bytes.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(ANCHOR_LIMIT)..];
        let mut last = std::mem::take(self).into_bytes();
        last.drain(..(last.len() + bytes.len()).saturating_sub(ANCHOR_LIMIT));
        last.extend_from_slice(bytes);
        *self = Self::Bytes(last);
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Hash(_) => Vec::new(),
        }
    }

    /// As the checkpoint holds it
    pub(crate) fn hash(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => hash(bytes),
            Self::Hash(hash) => *hash,
        }
    }
}

/// The name of a content for collectors: the same after a restart that has lost the checkpoint, and another for each
/// content that an inode has had. Their number may be lost too, and so the first line counts.
pub(crate) fn name(stat: &Stat, ordinal: u32, beginning: &[u8]) -> String {
    const SECOND: i64 = 1_000_000_000;
    let mut hasher = FnvHasher::default();
    // Where a file system does not know when a file was made, the inode must do.
    let born = stat.born.unwrap_or_default();
    let (seconds, fraction) = (born / SECOND, born % SECOND);
    let numbers = [stat.inode.device, stat.inode.inode, seconds.cast_unsigned(), fraction.cast_unsigned()];
    for number in numbers.into_iter().chain([ordinal.into()]) {
        hasher.write_u64(number);
    }
    let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    hasher.write(&line[..line.len().min(HEAD_LIMIT)]);
    format!("{:016x}", hasher.finish())
}

/// A hash of the last bytes of these, to tell contents apart that have all else in common
pub(crate) fn hash_of_end(bytes: &[u8]) -> u64 {
    hash(&bytes[bytes.len().saturating_sub(ANCHOR_LIMIT)..])
}

/// FNV-1a, because stored hashes must mean the same in every later version.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::Arc};

    use super::*;

    #[test]
    fn a_head_grows_with_its_file_and_stays_its_own() {
        let mut writer = tempfile::tempfile().unwrap();
        writer.write_all(b"one line\n").unwrap();
        let file = Content::Plain(Arc::new(writer.try_clone().unwrap()));
        let head = Head::read(&file, HEAD_LIMIT).unwrap();
        writer.write_all(&[b'x'; 2000]).unwrap();
        assert!(head.is_of(&file).unwrap());
        let grown = head.grown(&file, 2009).unwrap().unwrap();
        // Shorter than it was a moment ago: what there is may be something else already.
        assert_eq!(head.grown(&file, 5000).unwrap(), Some(grown));
        assert_eq!(Head { hash: 1, ..head }.grown(&file, 2009).unwrap(), None);
        assert_eq!(grown.length, HEAD_LIMIT);
        writer.set_len(9).unwrap();
        assert_eq!(head.grown(&file, 2009).unwrap(), None);
        assert!(!grown.is_of(&file).unwrap());
        assert!(head.is_of(&file).unwrap());
        // Of what nothing is known yet, every file may be the beginning.
        assert!(Head::default().is_of(&file).unwrap());
    }

    #[test]
    fn heads_of_all_lengths_are_the_heads() {
        let lengths = BTreeSet::from([1, 4, 9, 10]);
        let expected = [1, 4, 9].map(|length| Head::of(&b"one line\n"[..length]));
        assert_eq!(heads(b"one line\n", &lengths).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_anchor_is_the_last_bytes() {
        let mut file = tempfile::tempfile().unwrap();
        let text: Vec<u8> = (0..200).collect();
        file.write_all(&text).unwrap();
        let file = Content::Plain(Arc::new(file));
        let mut anchor = Anchor::default();
        for part in text[..150].chunks(7) {
            anchor.extend(part);
        }
        assert_eq!(anchor.bytes(), &text[86..150]);
        assert_eq!(Anchor::read(&file, 150).unwrap(), anchor);
        assert_eq!(Anchor::read(&file, 3).unwrap().bytes(), &text[..3]);
    }

    #[test]
    fn hashes_stay_as_they_are() {
        // A test vector of the FNV authors
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
