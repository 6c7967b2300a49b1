//! Where contents are that are not in their files any more. Those of several files are looked for together, so that each directory is
//! read once.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
    time::Instant,
};

use super::Looker;
use crate::{
    content::{beginnings::Beginnings, copies::Sought, search, volume::Stat},
    files::{
        cursor::Cursor,
        decide::{Trace, needs_trace},
        known::{Key, KnownFile},
        loss::LossReason,
        names::{Form, Names, is_rotated_name},
        observe::{Sighting, observe},
        set::FileSet,
    },
};

/// The directories of several files whose contents have gone, each read once
#[derive(Debug)]
pub(super) struct Homes {
    /// Those of the files' heads
    lengths: BTreeSet<usize>,
    read: HashMap<Arc<Path>, Beginnings>,
}

impl Homes {
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a KnownFile>) -> Self {
        Self { lengths: files.map(|file| file.head.length).collect(), read: HashMap::new() }
    }
}

impl Looker {
    /// Applies what the sightings of several files mean.
    pub(crate) fn examine_all(
        &mut self,
        set: &mut FileSet,
        names: &mut Names,
        sighted: Vec<(Key, Sighting)>,
        now: Instant,
    ) {
        let mut gone = Vec::new();
        for (key, sighting) in sighted {
            if set.get(key).is_some_and(|file| needs_trace(file, &observe(file, &sighting))) {
                gone.push((key, Ok(sighting)));
            } else {
                self.examine(set, names, key, &sighting, now);
            }
        }
        self.find(set, names, gone, now);
    }

    /// Finds what has become of files whose contents have gone, by what was seen of them or by the loss if they are nowhere. A
    /// copy is older than that, and so each directory is read now. True if an output may go on.
    pub(super) fn find(
        &mut self,
        set: &mut FileSet,
        names: &mut Names,
        gone: Vec<(Key, Result<Sighting, LossReason>)>,
        now: Instant,
    ) -> bool {
        // To find a single copy, not all files are opened.
        let mut homes = (gone.len() > 1).then(|| Homes::of(gone.iter().filter_map(|(key, _)| set.get(*key))));
        let mut is_news = false;
        for (key, seen) in gone {
            is_news |= match seen {
                Ok(sighting) => self.examine_beside(set, names, key, &sighting, now, &mut homes),
                Err(reason) => self.seek(set, names, key, reason, now, &mut homes),
            };
        }
        is_news
    }

    /// Where the content of a file is that is not in its file any more. Nothing as long as there is no
    /// descriptor to look for it.
    pub(super) fn trace(
        &mut self,
        set: &FileSet,
        names: &Names,
        file: &KnownFile,
        homes: &mut Option<Homes>,
    ) -> Option<Trace> {
        if let Some(Homes { lengths, read }) = homes {
            let beginnings = read.entry(file.home.clone()).or_insert_with(|| {
                let is_other = |stat: &_| self.is_no_copy(set, names, stat);
                Beginnings::read(self.volume.as_ref(), &file.home, lengths, is_other)
            });
            if !beginnings.may_have(file.head) {
                let may_be_packed = beginnings.has_packed && file.head.length > 0;
                return Some(if may_be_packed { Trace::Packed } else { Trace::Nowhere });
            }
        }
        let sought = sought(file);
        let volume = self.volume.as_ref();
        let is_other = |stat: &Stat| self.is_no_copy(set, names, stat);
        // Files that are rotated together get names of one form. A search among thousands of files for each of them takes minutes.
        let likely = self.copied.as_ref().and_then(|form| form.name_of(&sought.path));
        let copy = likely.and_then(|path| sought.find_at(&path, volume, is_other));
        let is_rotated = |path: &Path| is_rotated_name(path, &sought.path);
        let copy = if copy.is_some() { copy } else { sought.find(volume, is_other, is_rotated).ok()? };
        if let Some(copy) = copy {
            self.copied = Form::of(&copy.path, &sought.path);
            return Some(Trace::Copy(copy.into()));
        }
        let packed = search::packed(volume, &sought, |stat| set.has_touched(stat));
        Some(if packed.is_empty() { Trace::Nowhere } else { Trace::Packed })
    }

    /// Whether a file is known as it is, is written by an output of ours, or never was an input's.
    pub(super) fn is_no_copy(&self, set: &FileSet, names: &Names, stat: &Stat) -> bool {
        self.own_files.has_inode(stat.inode) || set.has_read(stat) || names.is_unchanged_bystander(stat)
    }
}

/// The marks by which a search recognises the content of this file
pub(super) fn sought(file: &KnownFile) -> Sought {
    Sought {
        home: file.home.clone(),
        path: file.source.path.clone(),
        born: file.born,
        written: file.modified,
        seen: file.seen,
        content: file.fingerprint(),
        in_flight: file.cursors.iter().filter_map(Cursor::in_flight_mark).collect(),
    }
}
