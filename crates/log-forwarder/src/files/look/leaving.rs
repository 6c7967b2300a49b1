//! Files of the last run that are not where they were.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
    time::Instant,
};

use super::Looker;
use crate::{
    content::beginnings::Beginnings,
    files::{
        decide::{Trace, decide},
        known::KnownFile,
        loss::LossReason,
        names::Names,
        observe::Observation,
        set::{Change, FileSet},
    },
};

impl Looker {
    /// The content of each of these files goes on in a copy, or is lost.
    pub(crate) fn leave_behind(&mut self, set: &mut FileSet, names: &Names, files: Vec<KnownFile>, now: Instant) {
        let lengths: BTreeSet<usize> = files.iter().map(|file| file.head.length).collect();
        let mut homes: HashMap<Arc<Path>, Beginnings> = HashMap::new();
        for file in files {
            let beginnings = homes.entry(file.home.clone()).or_insert_with(|| {
                let is_other = |stat: &_| self.is_no_copy(set, names, stat);
                Beginnings::read(self.volume.as_ref(), &file.home, &lengths, is_other)
            });
            // Before the file is known, because its own inode may be that of a compressed copy in which it was read.
            let trace = if beginnings.may_have(file.head) {
                self.trace(set, names, &file)
            } else if beginnings.has_packed && file.head.length > 0 {
                Trace::Packed
            } else {
                Trace::Nowhere
            };
            let key = set.next_key();
            set.apply(Change::Begin(file.into()), now);
            let Some(file) = set.get(key) else { return };
            let fate = decide(file, &Observation::Deleted, Some(trace), LossReason::GoneWhileDown, &self.policy, now);
            set.apply(Change::Meet(key, fate), now);
        }
    }
}
