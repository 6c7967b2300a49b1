//! A look at known files: asks the system, and lets [`observe`] and [`decide`] say what becomes of each.

mod leaving;
mod measuring;
mod seeking;

use std::{io, path::Path, sync::Arc, time::Instant};

use self::measuring::Measured;

use super::{
    complaints::Complaints,
    decide::{self, Policy, Trace, decide, needs_trace},
    fate::Fate,
    known::{Access, FileState, Key, KnownFile},
    loss::LossReason,
    names::{Form, Names},
    observe::{Observation, Sighting, observe},
    place::{Place, is_out_of_date, open_again, peek},
    set::{Change, FileSet},
    sight::{sight, unchanged},
    trust::Trust,
};
use crate::{
    content::{
        Content,
        copies::Sought,
        measure::Packed,
        search::{self, Search},
        volume::{Stat, Volume},
    },
    own_files::OwnFiles,
};

/// Steps that one look takes at most with one file: a rename, growth, an end, and a close
const MOST_STEPS: usize = 5;

/// Looks at known files
#[derive(Debug)]
pub(crate) struct Looker {
    pub(crate) volume: Arc<dyn Volume>,
    pub(crate) own_files: OwnFiles,
    pub(crate) complaints: Complaints,
    pub(crate) policy: Policy,
    /// The form of the name of the copy that was found last
    copied: Option<Form>,
    /// Looks for a content among compressed files; one at a time
    search: Option<Search<Option<Box<Packed>>>>,
    /// Measures a compressed file; one at a time
    measuring: Option<Search<Measured>>,
}

impl Looker {
    pub(crate) fn new(volume: Arc<dyn Volume>, own_files: OwnFiles, policy: Policy) -> Self {
        Self {
            volume,
            own_files,
            complaints: Complaints::default(),
            policy,
            copied: None,
            search: None,
            measuring: None,
        }
    }

    /// Looks at these files, and gives up deleted ones for which there is no room. True if an output may go on.
    pub(crate) fn look(&mut self, set: &mut FileSet, names: &mut Names, keys: Vec<Key>, now: Instant) -> bool {
        let before = set.behind();
        let mut is_news = false;
        for key in keys {
            is_news |= self.look_at(set, names, key, now);
        }
        is_news |= self.measure(set, names, now);
        for key in decide::over_max_pinned(set, &self.policy) {
            set.apply(Change::Meet(key, Fate::Lose(LossReason::OverMaxPinned)), now);
        }
        is_news || set.behind() != before
    }

    /// Looks at one file.
    pub(crate) fn look_at(&mut self, set: &mut FileSet, names: &mut Names, key: Key, now: Instant) -> bool {
        let Some(file) = set.get(key) else { return false };
        if let FileState::Sought(reason) = file.state {
            return self.seek(set, names, key, reason, now);
        }
        let sighting = match &file.access {
            Access::Open(content) => {
                let sighting = sight(file, content, false);
                if is_out_of_date(file, &sighting)
                    && let Some(handle) = open_again(self.volume.as_ref(), file)
                {
                    set.apply(Change::Meet(key, Fate::Refresh(Content::Plain(handle))), now);
                    return self.suspect(set, names, key, now);
                }
                sighting
            }
            // If it is not there, a scan finds where the file is now, or that it is gone.
            Access::Parked if file.state == FileState::Live => peek(self.volume.as_ref(), file, file.path())
                .unwrap_or_else(|| {
                    names.doubt();
                    unchanged(file)
                }),
            Access::Parked => unchanged(file),
            Access::Closed if file.state == FileState::Lost => unchanged(file),
            Access::Closed => return false,
        };
        self.examine(set, names, key, &sighting, now)
    }

    /// Looks at a file whose bytes are not those that were there.
    pub(crate) fn suspect(&mut self, set: &mut FileSet, names: &mut Names, key: Key, now: Instant) -> bool {
        let Some((file, content)) = set.get(key).and_then(|file| Some((file, file.content()?))) else { return false };
        let sighting = sight(file, content, true);
        self.examine(set, names, key, &sighting, now)
    }

    /// Applies what a sighting means, step by step. True if an output may go on.
    pub(crate) fn examine(
        &mut self,
        set: &mut FileSet,
        names: &mut Names,
        key: Key,
        sighting: &Sighting,
        now: Instant,
    ) -> bool {
        let mut is_news = false;
        for _ in 0..MOST_STEPS {
            let Some(file) = set.get(key) else { break };
            let observation = observe(file, sighting);
            if let Observation::Unreadable(error) = &observation {
                self.complaints.warn(file.path(), "cannot look at", error, now);
                break;
            }
            let has_gone = needs_trace(file, &observation);
            let trace = has_gone.then(|| self.trace(set, names, file));
            let reason = if file.is_open() { LossReason::Truncated } else { LossReason::GoneUnread };
            let successor = self.successor(file, &observation, set, now);
            let path = file.path().to_path_buf();
            // A file that was seen empty may have had other contents since, which were copied away.
            let has_begun = file.seen == 0 && matches!(observation, Observation::Grew(_));
            // So may one that has gone from its path, since the last look.
            let is_gone =
                observation == Observation::Deleted || (!file.is_open() && observation == Observation::Replaced);
            let is_gone = file.state == FileState::Live && is_gone;
            let is_copied = matches!(trace, Some(Trace::Copy(_))) || (has_gone && file.trust != Trust::Full);
            let remote = match observation {
                Observation::Inconsistent => Some("its size and its bytes contradict each other"),
                Observation::Astray => Some("its descriptor leads to another file"),
                _ => None,
            };
            let fate = decide(file, &observation, trace, reason, &self.policy, now);
            if matches!(fate, Fate::KeepReading) {
                break;
            }
            is_news |= set.apply(Change::Meet(key, fate), now);
            if has_begun || is_gone || is_copied {
                names.note_rotation(&path);
            }
            if let Some(what) = remote {
                self.complaints.note_remote(&path, what, now);
                names.note_rotation(&path);
            }
            if let Some(successor) = successor {
                names.note_rotation(&path);
                let key = set.next_key();
                set.apply(Change::Begin(successor.into()), now);
                self.look_at(set, names, key, now);
            }
            if has_gone {
                // The sighting says nothing about the copy.
                return true;
            }
        }
        is_news
    }

    /// Opens a file that is not open at a path where it was seen. A file that cannot be opened stays as it is, and one for which
    /// there is no descriptor waits.
    pub(crate) fn reopen(&mut self, set: &mut FileSet, key: Key, path: &Path, has_room: bool, now: Instant) -> Place {
        let Some(file) = set.get(key) else { return Place::Elsewhere };
        if file.packed_size.is_some() {
            if file.is_measured() {
                set.apply(Change::Meet(key, Fate::Measure { stat: None, was_cut: false }), now);
            }
            return Place::Same;
        }
        if !has_room && let Some(sighting @ Sighting::Closed { .. }) = peek(self.volume.as_ref(), file, path) {
            let growth = observe(file, &sighting);
            set.apply(Change::Meet(key, Fate::Park), now);
            if let Observation::Grew(growth) = growth {
                set.apply(Change::Meet(key, Fate::Grow(growth)), now);
            }
            return Place::Same;
        }
        let opened = self.volume.open(path).and_then(|handle| {
            let (stat, content) = (handle.stat()?, Content::Plain(handle));
            let is_same = file.fingerprint().is_of(&content)?;
            Ok((stat, content, is_same))
        });
        match opened {
            Ok((stat, ..)) if stat.inode != file.inode => Place::Elsewhere,
            Ok((stat, content, true)) if !stat.is_another(file.born) => {
                set.apply(Change::Meet(key, Fate::Reopen(content)), now);
                if !has_room {
                    set.apply(Change::Meet(key, Fate::Park), now);
                }
                Place::Same
            }
            Ok(_) => Place::Other,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Place::Elsewhere,
            Err(error) => {
                self.complaints.warn(path, "cannot open", lifecycle::io_text(&error), now);
                Place::Same
            }
        }
    }

    /// Where the content of a file is that is not in its file any more
    pub(crate) fn trace(&mut self, set: &FileSet, names: &Names, file: &KnownFile) -> Trace {
        let sought = sought(file);
        let volume = self.volume.as_ref();
        let is_other = |stat: &Stat| self.is_no_copy(set, names, stat);
        // Files that are rotated together get names of one form. A search among thousands of files for each of them takes minutes.
        let likely = self.copied.as_ref().and_then(|form| form.name_of(&sought.path));
        let copy = likely.and_then(|path| sought.find_at(&path, volume, is_other));
        if let Some(copy) = copy.or_else(|| sought.find(volume, is_other)) {
            self.copied = Form::of(&copy.path, &sought.path);
            return Trace::Copy(copy.into());
        }
        let packed = search::packed(volume, &sought, |stat| set.has_touched(stat));
        if packed.is_empty() { Trace::Nowhere } else { Trace::Packed }
    }

    /// Whether a file is known as it is, is written by an output of ours, or never was an input's.
    fn is_no_copy(&self, set: &FileSet, names: &Names, stat: &Stat) -> bool {
        self.own_files.has_inode(stat.inode) || set.has_read(stat) || names.is_unchanged_bystander(stat)
    }

    /// The file that begins where an open one has another content now. On a remote file system, that of a rotated file may be one
    /// whose name has come to this: a scan says which.
    fn successor(&self, file: &KnownFile, observation: &Observation, set: &FileSet, now: Instant) -> Option<KnownFile> {
        let is_gone = matches!(observation, Observation::Replaced | Observation::Truncated);
        let may_be_other = file.trust != Trust::Full && file.state != FileState::Live;
        let (true, Some(Content::Plain(handle))) = (is_gone && !may_be_other, file.content()) else { return None };
        let handle = open_again(self.volume.as_ref(), file).unwrap_or_else(|| handle.clone());
        let stat = handle.stat().ok()?;
        let input = (file.source.path.clone(), file.source.treatment.clone());
        let fresh = KnownFile::new(input, file.home.clone(), handle, &stat, set.fresh_cursors(), now);
        Some(KnownFile { ordinal: file.ordinal + 1, state: file.state, ..fresh })
    }
}

fn sought(file: &KnownFile) -> Sought {
    Sought {
        home: file.home.clone(),
        path: file.source.path.clone(),
        born: file.born,
        written: file.modified,
        seen: file.seen,
        content: file.fingerprint(),
    }
}
