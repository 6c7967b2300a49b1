//! Looks for contents among compressed files: one at a time, on a thread of its own. On a remote file system, the names of plain
//! files are looked at until they must be up to date.

use std::{task::Poll, time::Instant};

use super::{
    Looker,
    tracing::{Homes, sought},
};
use crate::{
    content::search::{self, Search},
    files::{
        decide::Trace,
        fate::Fate,
        known::Key,
        loss::LossReason,
        names::Names,
        set::{Change, FileSet},
        trust::{OUT_OF_DATE, Trust},
    },
};

impl Looker {
    /// Looks a content up among compressed files, and on a remote file system once more among all, one content after the other. True if there is news of it.
    pub(super) fn seek(
        &mut self,
        set: &mut FileSet,
        names: &Names,
        key: Key,
        reason: LossReason,
        now: Instant,
        homes: &mut Option<Homes>,
    ) -> bool {
        let Some(file) = set.get(key) else { return false };
        if file.trust != Trust::Full
            && let Some(trace @ (Trace::Copy(_) | Trace::Nowhere)) = self.trace(set, names, file, homes)
        {
            let fate = match trace {
                Trace::Copy(copy) => Fate::ContinueInCopy(copy),
                _ if file.is_still(None, OUT_OF_DATE, now) => Fate::Lose(reason),
                _ => return false,
            };
            set.apply(Change::Meet(key, fate), now);
            return true;
        }
        let Some(search) = &self.search else {
            let (volume, sought, known) = (self.volume.clone(), sought(file), set.touched_inodes());
            match Search::start(key, move || search::seek(volume.as_ref(), &sought, &known)) {
                Ok(search) => self.search = Some(search),
                Err(error) => {
                    self.complaints.warn(file.path(), "cannot look for the copy of", lifecycle::io_text(&error), now);
                }
            }
            return false;
        };
        let is_stale = set.get(search.key).is_none();
        if search.key != key && !is_stale {
            return false;
        }
        let Poll::Ready(found) = search.answer() else { return false };
        self.search = None;
        if is_stale {
            // The file that was found belongs to another content.
            return false;
        }
        let fate = match found.flatten() {
            Some(packed) if !self.is_no_copy(set, names, &packed.stat) => Fate::ContinueInPacked(packed),
            Some(_) => match set.get(key).and_then(|file| self.trace(set, names, file, &mut None)) {
                Some(Trace::Copy(copy)) => Fate::ContinueInCopy(copy),
                Some(Trace::Packed) | None => return false,
                Some(Trace::Nowhere) => Fate::Lose(reason),
            },
            None => Fate::Lose(reason),
        };
        set.apply(Change::Meet(key, fate), now);
        true
    }
}
