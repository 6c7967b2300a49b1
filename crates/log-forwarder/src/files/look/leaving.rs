//! Files of the last run that are not where they were.

use std::time::Instant;

use super::{Looker, tracing::Homes};
use crate::files::{
    decide::decide,
    known::{Key, KnownFile},
    loss::LossReason,
    names::Names,
    observe::Observation,
    set::{Change, FileSet},
};

impl Looker {
    /// The content of each of these files goes on in a copy, or is lost.
    pub(crate) fn leave_behind(
        &mut self,
        set: &mut FileSet,
        names: &Names,
        files: Vec<(Key, KnownFile)>,
        now: Instant,
    ) {
        let mut homes = Some(Homes::of(files.iter().map(|(_, file)| file)));
        for (key, file) in files {
            // Before the file is known, because its own inode may be that of a compressed copy in which it was read.
            let trace = self.trace(set, names, &file, &mut homes);
            set.apply(Change::Begin(key, file.into()), now);
            // Without a descriptor to look for it, a scan does that later.
            let (Some(file), Some(_)) = (set.get(key), &trace) else { continue };
            let fate = decide(file, &Observation::Deleted, trace, LossReason::GoneWhileDown, &self.policy, now);
            set.apply(Change::Meet(key, fate), now);
        }
    }
}
