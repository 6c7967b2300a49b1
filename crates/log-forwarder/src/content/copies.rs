//! Finds a content again among the files of a directory: the copy of a truncated file, plain or
//! compressed.

use std::{cmp::Reverse, io, path::Path, sync::Arc};

use rustix::io::Errno;

use super::{
    Content,
    fingerprint::{Anchors, Fingerprint, has_mark},
    foreign::{Kind, kind},
    measure::{MOST_LISTINGS, Verdict, measure},
    volume::{Entry, Stat, Volume},
};

/// Compressing tools keep the time of a file, some of them without its fraction.
const SECOND: i64 = 1_000_000_000;

/// A content that is looked for
#[derive(Debug)]
pub(crate) struct Sought {
    /// The directory in which its file was
    pub(crate) home: Arc<Path>,
    /// The path at which it was. A file that was made later and is there now is no copy, though it
    /// may begin alike.
    pub(crate) path: Arc<Path>,
    pub(crate) born: Option<i64>,
    /// When the content was last written, in nanoseconds since 1970
    pub(crate) written: i64,
    /// Bytes that it was seen with
    pub(crate) seen: u64,
    pub(crate) content: Fingerprint,
    /// Ends of what outputs have in flight, each with a hash of the bytes before it. The copy lacks
    /// them if it was made before.
    pub(crate) in_flight: Vec<(u64, u64)>,
}

/// A file that holds the content as it is
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) path: Arc<Path>,
    pub(crate) content: Content,
    pub(crate) stat: Stat,
    /// The bytes before each place of the fingerprint
    pub(crate) anchors: Anchors,
}

impl Sought {
    /// A file that has this content as it is, and that the caller does not rule out. Of the files
    /// with names that rotation gives, the caller rules out all that came before the content:
    /// whether one of them seems older does not matter. An error if there is no descriptor to look at
    /// one of them.
    pub(crate) fn find(
        &self,
        volume: &dyn Volume,
        is_other: impl Fn(&Stat) -> bool,
        is_rotated: impl Fn(&Path) -> bool,
    ) -> io::Result<Option<Copy>> {
        let is_near = |path: &Path, stat: &Stat| self.is_near(stat) || is_rotated(path);
        let may_be = |path: &Path, stat: &Stat| !self.in_flight.is_empty() || is_near(path, stat);
        for _ in 0..MOST_LISTINGS {
            let mut has_moved = false;
            let fits = |entry: &Entry| !is_other(&entry.stat) && may_be(&entry.path, &entry.stat);
            for Entry { path, stat: listed } in self.files(volume, fits)? {
                let opened = volume.open(&path).and_then(|handle| Ok((handle.stat()?, Content::Plain(handle))));
                has_moved |= match &opened {
                    Err(error) if is_exhausted(error) => return opened.map(|_| None),
                    Ok((stat, _)) => stat.inode != listed.inode,
                    Err(error) => error.kind() == io::ErrorKind::NotFound,
                };
                let Ok((stat, content)) = opened else { continue };
                if is_other(&stat) {
                    continue;
                }
                if let Ok(Some(anchors)) = self.anchors_in(&content, is_near(&path, &stat)) {
                    return Ok(Some(Copy { path, content, stat, anchors }));
                }
            }
            if !has_moved {
                break;
            }
        }
        Ok(None)
    }

    /// The same, if it is the file of a path, has all that was seen, and is as new. That takes no
    /// list of the directory.
    pub(crate) fn find_at(&self, path: &Path, volume: &dyn Volume, is_other: impl Fn(&Stat) -> bool) -> Option<Copy> {
        let handle = volume.open(path).ok()?;
        let (stat, content) = (handle.stat().ok()?, Content::Plain(handle));
        let has_all = self.content.head.length > 0 && stat.size >= self.seen && self.is_new(&stat);
        if !has_all || is_other(&stat) {
            return None;
        }
        let anchors = self.content.anchors_in(&content).ok()??;
        Some(Copy { path: path.into(), content, stat, anchors })
    }

    /// The bytes before each place in a file that is not compressed, if it has the content, and not
    /// only a head in common.
    fn anchors_in(&self, file: &Content, is_near: bool) -> io::Result<Option<Anchors>> {
        let has_any = || self.in_flight.iter().any(|mark| has_mark(file, *mark).unwrap_or(false));
        Ok(self.content.anchors_in(file)?.filter(|_| is_near || has_any()))
    }

    /// Whether a file that begins alike has the content, by no more than its time. Many files may
    /// share a head, so that a file that has only the head in common must also be as new.
    fn is_near(&self, stat: &Stat) -> bool {
        self.content.anchors.iter().any(|(position, _)| *position > 0) || self.is_new(stat)
    }

    /// Whether a file was not written before the content was. Clocks can be set.
    fn is_new(&self, stat: &Stat) -> bool {
        stat.modified > self.written.saturating_sub(SECOND)
    }

    /// The files of the directory that may have it, as [`Self::files`] sorts them
    pub(crate) fn candidates(&self, volume: &dyn Volume, is_other: impl Fn(&Stat) -> bool) -> Vec<Entry> {
        self.files(volume, |Entry { stat, .. }| !is_other(stat) && self.is_near(stat)).unwrap_or_default()
    }

    /// The files of the directory that the caller does not rule out, first those whose names begin
    /// as its own. Of these the largest comes first, because an earlier copy of the same content
    /// would be shorter.
    fn files(&self, volume: &dyn Volume, may_be: impl Fn(&Entry) -> bool) -> io::Result<Vec<Entry>> {
        if self.content.head.length == 0 {
            return Ok(Vec::new());
        }
        let successor = volume.stat(&self.path).ok().filter(|stat| stat.is_another(self.born)).map(|stat| stat.inode);
        let fits = |entry: &Entry| entry.stat.is_file() && Some(entry.stat.inode) != successor && may_be(entry);
        let entries = match volume.list(&self.home) {
            Err(error) if is_exhausted(&error) => return Err(error),
            entries => entries.unwrap_or_default(),
        };
        let mut candidates: Vec<_> = entries.into_iter().filter(fits).collect();
        // Where thousands of files are truncated at once, only the likely copy of each is opened.
        let own_name = self.path.file_stem().unwrap_or_default().as_encoded_bytes();
        let is_likely =
            |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(own_name));
        candidates.sort_by_cached_key(|Entry { path, stat }| {
            Reverse((self.is_new(stat), is_likely(path), stat.size, path.clone()))
        });
        Ok(candidates)
    }

    /// Whether a compressed file holds it. Reads it to its end, unless it begins with something
    /// else.
    pub(crate) fn unpack(&self, volume: &dyn Volume, path: &Path) -> io::Result<Verdict> {
        measure(volume.open(path)?, path, &self.content)
    }
}

/// Opens a file if it has this content, and reads the bytes before each place. After an error this
/// is not known.
pub(crate) fn open_as(
    volume: &dyn Volume,
    content: &Fingerprint,
    path: &Path,
) -> io::Result<Option<(Content, Anchors)>> {
    let file = match volume.open(path) {
        Ok(file) => Content::Plain(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(content.anchors_in(&file)?.map(|anchors| (file, anchors)))
}

/// Whether a file cannot be opened because this process, or the system, has no descriptor left.
pub(super) fn is_exhausted(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether a file that begins so is compressed, or soon will be.
pub(crate) fn is_packed(path: &Path, beginning: &[u8]) -> bool {
    if beginning.is_empty() {
        return path.extension().is_some_and(|extension| extension == "gz" || extension == "zst");
    }
    matches!(kind(beginning), Kind::Compressed(_))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::content::{fingerprint::Head, volume::Disk};

    #[test]
    fn a_copy_is_first_looked_for_under_the_names_that_begin_as_its_own() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("app.log.1", "one\n"), ("app-2.log", "one\ntwo\n"), ("web.log.1", "one\ntwo\nthree\n")] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let sought = Sought {
            home: directory.path().into(),
            path: directory.path().join("app.log").into(),
            born: None,
            written: 0,
            seen: 0,
            content: Fingerprint { head: Head::of(b"one\n"), anchors: Vec::new() },
            in_flight: Vec::new(),
        };
        let candidates = sought.candidates(&Disk, |_| false);
        let names: Vec<_> = candidates.iter().map(|entry| entry.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["app-2.log", "app.log.1", "web.log.1"]);
    }
}
