//! A look at known files: asks the system, and lets [`observe`] and [`decide`] say what becomes of
//! each.

mod leaving;
mod measuring;
mod seeking;
mod tracing;

use std::{io, path::Path, sync::Arc, time::Instant};

use self::{measuring::Measured, tracing::Homes};

use super::{
    complaints::Complaints,
    decide::{self, Policy, Trace, decide, needs_trace},
    fate::Fate,
    known::{Access, FileState, Key, KnownFile},
    loss::LossReason,
    names::{Form, Names},
    observe::{Marks, Observation, Sighting, observe},
    place::{Place, is_out_of_date, open_again, peek},
    set::{Change, FileSet},
    sight::{sight, unchanged},
    trust::Trust,
};
use crate::{
    content::{Content, measure::Packed, search::Search, volume::Volume},
    own_files::OwnFiles,
};

/// Why a copy is looked for later
const NO_DESCRIPTOR: &str = "no descriptor is left: raise the limit of open files";

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

    /// Looks at these files, and gives up deleted ones for which there is no room. True if an
    /// output may go on.
    pub(crate) fn look(&mut self, set: &mut FileSet, names: &mut Names, keys: Vec<Key>, now: Instant) -> bool {
        let before = set.behind();
        let (mut is_news, mut gone) = (false, Vec::new());
        for key in keys {
            let Some(file) = set.get(key) else { continue };
            if let FileState::Sought(reason) = file.state {
                gone.push((key, Err(reason)));
                continue;
            }
            let Some(sighting) = self.glance(set, names, key, now) else { continue };
            if set.get(key).is_some_and(|file| needs_trace(file, &observe(file, &sighting))) {
                gone.push((key, Ok(sighting)));
            } else {
                is_news |= self.examine(set, names, key, &sighting, now);
            }
        }
        is_news |= self.find(set, names, gone, now);
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
            return self.seek(set, names, key, reason, now, &mut None);
        }
        let sighting = self.glance(set, names, key, now);
        sighting.is_some_and(|sighting| self.examine(set, names, key, &sighting, now))
    }

    /// The system's answer about a file whose content is not looked for. An open one is opened
    /// again if its descriptor may be out of date.
    fn glance(&self, set: &mut FileSet, names: &mut Names, key: Key, now: Instant) -> Option<Sighting> {
        let file = set.get(key)?;
        match &file.access {
            Access::Open(content) => {
                let sighting = sight(file, content, false);
                let is_out_of_date = is_out_of_date(file, &sighting);
                let again = is_out_of_date.then(|| open_again(self.volume.as_ref(), file)).flatten();
                let Some(handle) = again else { return Some(sighting) };
                set.apply(Change::Meet(key, Fate::Refresh(Content::Plain(handle))), now);
                let file = set.get(key)?;
                Some(sight(file, file.content()?, true))
            }
            // If it is not there, a scan finds where the file is now, or that it is gone.
            Access::Parked if file.state == FileState::Live => {
                Some(peek(self.volume.as_ref(), file, file.path()).unwrap_or_else(|| {
                    names.doubt();
                    unchanged(file)
                }))
            }
            Access::Parked => Some(unchanged(file)),
            Access::Closed => (file.state == FileState::Lost).then(|| unchanged(file)),
        }
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
        self.examine_beside(set, names, key, sighting, now, &mut None)
    }

    /// The same for one of several files whose contents are traced.
    fn examine_beside(
        &mut self,
        set: &mut FileSet,
        names: &mut Names,
        key: Key,
        sighting: &Sighting,
        now: Instant,
        homes: &mut Option<Homes>,
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
            let trace = if has_gone { self.trace(set, names, file, homes) } else { None };
            if has_gone && trace.is_none() {
                self.complaints.warn(file.path(), "cannot look for the copy of", NO_DESCRIPTOR, now);
                break;
            }
            let reason = if file.is_open() { LossReason::Truncated } else { LossReason::GoneUnread };
            let successor = self.successor(file, (sighting, &observation), set, now);
            let path = file.path().to_path_buf();
            // A file that was seen empty may have had other contents since, which were copied away.
            let has_begun = file.seen == 0 && matches!(observation, Observation::Grew(_));
            // So may one that has gone from its path, since the last look.
            let is_replaced = matches!(observation, Observation::Replaced | Observation::Truncated);
            let is_gone = observation == Observation::Deleted || (!file.is_open() && is_replaced);
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
            match observation {
                Observation::Unsteady => {
                    self.complaints.warn(&path, "is not read", "its bytes differ from one read to the next", now);
                    break;
                }
                Observation::Rewritten(_) => self.complaints.note_rewritten(&path, now),
                _ => {}
            }
            if let Some(what) = remote {
                self.complaints.note_remote(&path, what, now);
                names.note_rotation(&path);
            }
            if let Some(successor) = successor {
                names.note_rotation(&path);
                let key = set.next_key();
                set.apply(Change::Begin(key, successor.into()), now);
                self.look_at(set, names, key, now);
            }
            if has_gone {
                // The sighting says nothing about the copy.
                return true;
            }
        }
        is_news
    }

    /// Opens a file that is not open at a path where it was seen. A file that cannot be opened
    /// stays as it is, and one for which there is no descriptor waits.
    pub(crate) fn reopen(
        &mut self,
        set: &mut FileSet,
        names: &mut Names,
        (key, path): (Key, &Path),
        has_room: bool,
        now: Instant,
    ) -> Place {
        let Some(file) = set.get(key) else { return Place::Elsewhere };
        if file.packed_size.is_some() {
            if file.is_measured() {
                set.apply(Change::Meet(key, Fate::Measure { stat: None, was_cut: false }), now);
            }
            return Place::Same;
        }
        if !has_room && let Some(sighting @ Sighting::Closed { .. }) = peek(self.volume.as_ref(), file, path) {
            set.apply(Change::Meet(key, Fate::Park), now);
            self.examine(set, names, key, &sighting, now);
            return Place::Same;
        }
        let opened = self.volume.open(path).and_then(|handle| {
            let (stat, content) = (handle.stat()?, Content::Plain(handle));
            let anchors = file.fingerprint().anchors_in(&content)?;
            Ok((stat, content, anchors))
        });
        match opened {
            Ok((stat, ..)) if stat.inode != file.inode => Place::Elsewhere,
            Ok((stat, content, Some(anchors))) if !stat.is_another(file.born) => {
                set.apply(Change::Meet(key, Fate::Reopen(content, anchors)), now);
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

    /// The file that begins where an open one has another content now. On a remote file system,
    /// that of a rotated file may be one whose name has come to this: a scan says which.
    fn successor(
        &self,
        file: &KnownFile,
        (sighting, observation): (&Sighting, &Observation),
        set: &FileSet,
        now: Instant,
    ) -> Option<KnownFile> {
        let is_gone = matches!(observation, Observation::Replaced | Observation::Truncated);
        let may_be_other = file.trust != Trust::Full && file.state != FileState::Live;
        let (true, Some(Content::Plain(handle))) = (is_gone && !may_be_other, file.content()) else { return None };
        let handle = open_again(self.volume.as_ref(), file).unwrap_or_else(|| handle.clone());
        let stat = handle.stat().ok()?;
        let input = (file.source.path.clone(), file.source.treatment.clone());
        let fresh = KnownFile::new(input, file.home.clone(), handle, &stat, set.fresh_cursors(), now);
        let rewrites = match sighting {
            Sighting::Open { marks: Marks::Rewritten(_), .. } => file.rewrites + 1,
            // Nothing of it was read that could be compared.
            _ if file.cursors.iter().all(|cursor| cursor.position == 0) => file.rewrites,
            _ => 0,
        };
        Some(KnownFile { ordinal: file.ordinal + 1, state: file.state, rewrites, ..fresh })
    }
}

#[cfg(test)]
mod tests;
