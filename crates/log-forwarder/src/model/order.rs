//! The order in which each output gets lines: that of a file, and that of the files of a path.

use std::collections::BTreeMap;

use super::app::text;
use crate::{
    files::{
        known::{Key, KnownFile, OutputId},
        set::FileSet,
    },
    records::span::{Mark, Span},
};

/// The order so far
#[derive(Default)]
pub(super) struct Order {
    /// The last line that was delivered of each file
    last: BTreeMap<(OutputId, Key), String>,
    /// The sizes that older files of its path had when an output got lines of a file
    older: BTreeMap<(OutputId, Key), u64>,
}

impl Order {
    /// An output gets these spans. No line comes after lines of a later file of its path, unless it was not there before those, or
    /// further lines could have belonged to its record.
    pub(super) fn get(&mut self, spans: &[Span], output: OutputId, set: &FileSet) {
        for span in spans {
            let is_complete = span.mark == Mark::Whole && !span.source.treatment.format.joins_lines();
            if let Some(size) = self.older.get(&(output, span.key)).filter(|_| is_complete) {
                assert!(span.end() > *size, "lines of file {} come after those of a later one", span.key);
            }
            let older = set.of_path(&span.source.path).take_while(|(key, _)| *key < span.key);
            for (key, file) in older.filter(|(_, file)| can_be_read(file, output)) {
                self.older.insert((output, key), file.seen);
            }
        }
    }

    /// A line of a file is settled.
    pub(super) fn settle(&mut self, line: &str, key: Key, output: OutputId) {
        let last = self.last.insert((output, key), line.to_owned());
        assert!(last.is_none_or(|last| text(&last) < text(line)), "{line} out of order");
    }
}

/// Whether no read of a file has failed, so that later files wait for it.
fn can_be_read(file: &KnownFile, output: OutputId) -> bool {
    let cursor = &file.cursors[output.0];
    let is_there = file.is_open() || file.is_parked() || cursor.position >= file.seen;
    is_there && !cursor.has_failed
}
