//! Finds a content again among the files of a directory: the copy of a truncated file, plain or compressed.

use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    content::{
        Content,
        identity::{ANCHOR_LIMIT, Anchor, Fingerprint, Inode, is_another},
        opening::open_to_read,
        unpacked::decoder,
    },
    files::generation::modified,
};

/// Bytes of a compressed file that are compared at once
const CHUNK: usize = 64 * 1024;
/// Compressing tools keep the time of a file, some of them without its fraction.
const SECOND: i64 = 1_000_000_000;
/// The first bytes of a file in the format of gzip (RFC 1952)
const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// A content that is sought
#[derive(Debug)]
pub(crate) struct Sought {
    pub(crate) home: PathBuf,
    /// The path at which it was. A file that was made later and is there now is no copy, though it may begin alike.
    pub(crate) path: PathBuf,
    pub(crate) born: Option<i64>,
    /// When the content was last written, in nanoseconds since 1970
    pub(crate) written: i64,
    pub(crate) content: Fingerprint,
}

/// A compressed file that holds it
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
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
    /// A file that has this content as it is, and is none of those that are known.
    pub(crate) fn find(&self, is_known: impl Fn(&Metadata) -> bool) -> Option<(Content, PathBuf)> {
        self.candidates(is_known).into_iter().find_map(|path| Some((open_as(&self.content, &path).ok()??, path)))
    }

    /// The files of the directory that may have it, the largest first: an earlier copy of the same content would be shorter.
    pub(crate) fn candidates(&self, is_known: impl Fn(&Metadata) -> bool) -> Vec<PathBuf> {
        if self.content.head.length == 0 {
            return Vec::new();
        }
        // Clocks can be set. Many files may share a head, so that a file that has only the head in common must also be as new.
        let is_new = |metadata: &Metadata| modified(metadata) > self.written - SECOND;
        let is_told = self.content.anchors.iter().any(|(position, _)| *position > 0);
        let successor = fs::metadata(&self.path).ok().filter(|metadata| is_another(metadata, self.born));
        let successor = successor.map(|metadata| Inode::of(&metadata));
        let entries = fs::read_dir(&self.home).into_iter().flatten().filter_map(Result::ok);
        let fitting = entries.filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            let fits = metadata.is_file()
                && Some(Inode::of(&metadata)) != successor
                && !is_known(&metadata)
                && (is_told || is_new(&metadata));
            fits.then(|| (is_new(&metadata), metadata.len(), entry.path()))
        });
        let mut candidates: Vec<_> = fitting.collect();
        candidates.sort();
        candidates.into_iter().rev().map(|(_, _, path)| path).collect()
    }

    /// Whether a compressed file holds it. Reads it to its end, unless it begins with something else.
    pub(crate) fn unpack(&self, path: &Path) -> io::Result<Verdict> {
        let file = Arc::new(open_to_read(path)?);
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
                    return Ok(Verdict::Unfinished(file.metadata()?.len()));
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
            return Ok(Verdict::Same(Packed { path: path.to_path_buf(), file, length, anchors }));
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
pub(crate) fn open_as(content: &Fingerprint, path: &Path) -> io::Result<Option<Content>> {
    let file = match open_to_read(path) {
        Ok(file) => Content::Plain(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(content.is_of(&file)?.then_some(file))
}

/// Whether a file is compressed, or soon will be.
pub(crate) fn is_packed(path: &Path) -> bool {
    let mut magic = [0; 2];
    let Ok(mut file) = open_to_read(path) else { return false };
    match file.read(&mut magic) {
        Ok(0) => path.extension().is_some_and(|extension| extension == "gz"),
        Ok(_) => magic == MAGIC,
        Err(_) => false,
    }
}
