//! Which files that a scan finds are not read because of their age, and which are read from their end.

use std::{collections::BTreeSet, path::Path, time::SystemTime};

use super::ledger::Ledger;
use crate::{
    content::volume::{Inode, Stat},
    settings::{input::Input, selection::StartAt},
};

/// The memory of former scans
#[derive(Debug, Default)]
pub(crate) struct Selecting {
    /// Inputs, by their text, whose files a scan has looked for, in this run or in a former one
    known: BTreeSet<String>,
    /// Those that the present scan is the first to look for
    new: BTreeSet<String>,
    /// Files that the present scan has found too old, and those of the last one
    old: BTreeSet<Inode>,
    former: BTreeSet<Inode>,
}

impl Selecting {
    /// Inputs of a former run; files that came since are read from their beginning.
    pub(crate) fn resume(&mut self, inputs: impl IntoIterator<Item = String>) {
        self.known.extend(inputs);
    }

    /// The inputs that a scan has looked for
    pub(crate) fn known(&self) -> &BTreeSet<String> {
        &self.known
    }

    /// A scan begins.
    pub(super) fn begin(&mut self, inputs: &[Input]) {
        let texts: BTreeSet<String> = inputs.iter().map(|input| input.text().to_owned()).collect();
        self.new = texts.difference(&self.known).cloned().collect();
        self.known = texts;
        self.former = std::mem::take(&mut self.old);
    }

    /// Where reading begins in a file that was found at a path, or that was rotated away from the path of an origin. `None` if
    /// it is too old to be read.
    pub(super) fn start(
        &mut self,
        input: Option<&Input>,
        (path, origin): (&Path, &Path),
        stat: &Stat,
        clock: SystemTime,
    ) -> Option<StartAt> {
        let Some(input) = input else { return Some(StartAt::Beginning) };
        // It was there before the input.
        if input.starts_at_end() && path == origin && self.new.contains(input.text()) {
            return Some(StartAt::End);
        }
        if !input.selection.is_too_old(stat.modified, clock) {
            return Some(StartAt::Beginning);
        }
        if !self.former.contains(&stat.inode) {
            tracing::debug!(file = %path.display(), "is not read: nothing was written to it for --ignore-older");
        }
        self.old.insert(stat.inode);
        None
    }

    pub(super) fn is_ignored(&self, inode: Inode) -> bool {
        self.old.contains(&inode)
    }

    /// A scan ends.
    pub(super) fn end(&self, ledger: &Ledger) {
        let count = self.old.len();
        if count > self.former.len() {
            tracing::info!(count, "files are not read, because nothing was written to them for --ignore-older");
        }
        ledger.ignored.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
