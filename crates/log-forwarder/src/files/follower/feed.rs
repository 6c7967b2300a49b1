//! What an output gets: batch by batch, file by file in turn.

use std::time::{Duration, Instant};

use super::Follower;
use crate::{
    files::{
        fate::Fate,
        known::{Key, OutputId},
        loss::LossReason,
        reading::{Bounds, Read, Reading, read},
        set::{Change, FileSet},
    },
    records::{
        batch::{Batch, Sifted},
        span::{Mark, Source, Span},
    },
};

/// After an error a file is not read for this long. Later files of its path are read.
const RETRY: Duration = Duration::from_secs(2);

/// Reads of one file at once that bring no line. More of a line without an end are read after others had their turn, because a
/// compressed file can have one of many gigabytes.
const MOST_STEPS: usize = 16;

/// Files that are looked at in vain for one batch, because their lines may not stand in it. With a stream for each of thousands of
/// files, each batch would look at all of them.
const MOST_APART: usize = 64;

/// Whether spans of two sources may stand in one batch
type Joins<'a> = &'a dyn Fn(&Source, &Source) -> bool;

impl Follower {
    /// Whether an output could get something, and a batch has room for more.
    pub(crate) fn may_gather(&self, output: OutputId) -> bool {
        (1..self.gathered as u64).contains(&self.waiting(output))
    }

    /// Unread bytes that an output could get. While files wait for a descriptor they are enough for a batch, because those that
    /// are open keep others waiting.
    pub(super) fn waiting(&self, output: OutputId) -> u64 {
        match self.set.readable_bytes(output) {
            0 => 0,
            bytes if self.descriptors.waiting > 0 => bytes.max(self.gathered as u64),
            bytes => bytes,
        }
    }

    /// The next batch for an output: file by file in turn, and of one path the older file first. It is of one file, unless
    /// others may join it.
    pub(crate) fn next(&mut self, output: OutputId, joins: Option<Joins>, now: Instant) -> Option<Batch> {
        loop {
            let failed = self.failed.len();
            let batch = self.gather(output, joins, now);
            // Later files waited for one that has just failed.
            if batch.is_some() || self.failed.len() == failed {
                return batch;
            }
        }
    }

    /// Books the records that filters drop, and settles the spans of which nothing is left.
    pub(crate) fn drop_records(&mut self, sifted: &Sifted, output: OutputId) {
        if sifted.dropped.lines > 0 {
            self.account(Change::Drop(output, sifted.dropped));
        }
        for span in &sifted.empty {
            self.account(Change::Settle(span, output));
        }
    }

    fn gather(&mut self, output: OutputId, joins: Option<Joins>, now: Instant) -> Option<Batch> {
        let turn = self.turns.get(&output).copied().unwrap_or(0);
        let most = joins.map_or(usize::MAX, |_| self.gathered);
        let (mut spans, mut length, mut apart): (Vec<Span>, usize, usize) = (Vec::new(), 0, 0);
        // Each file is asked for when it is its turn: a list of all would cost more than most batches.
        'files: for mut keys in [turn..Key::MAX, 0..turn] {
            while let Some(key) = self.set.first_readable(output, keys.clone()) {
                keys.start = key + 1;
                let Some(file) = self.set.get(key) else { continue };
                let is_apart = match (spans.first(), joins) {
                    (None, _) => false,
                    (Some(first), Some(joins)) if length < most => !joins(&first.source, &file.source),
                    (Some(_), _) => break 'files,
                };
                if is_apart && apart == MOST_APART {
                    break 'files;
                }
                if is_apart {
                    apart += 1;
                    continue;
                }
                let batch = self.bounds.batch.min(most - length);
                let bounds = Bounds { batch, may_grow: spans.is_empty(), ..self.bounds };
                if let Some(span) = self.read(key, output, bounds, now) {
                    self.turns.insert(output, key + 1);
                    length += span.bytes().len();
                    spans.push(span);
                }
            }
        }
        if spans.is_empty() && self.descriptors.waiting > 0 {
            self.descriptors.asked.notify_one();
        }
        Batch::of(spans)
    }

    fn read(&mut self, key: Key, output: OutputId, bounds: Bounds, now: Instant) -> Option<Span> {
        for _ in 0..MOST_STEPS {
            let file = self.set.get(key)?;
            let path = file.path();
            let Read { reading, size } = match read(file, key, output, bounds, &self.pool) {
                Ok(read) => read,
                Err(error) => {
                    self.looker.complaints.warn(path, "cannot read", lifecycle::io_text(&error), now);
                    if file.is_packed() {
                        // Only on a thread of its own it is found out why.
                        self.set.apply(Change::Meet(key, Fate::Measure { stat: None, was_cut: false }), now);
                    }
                    self.set.apply(Change::Fail(key, output, true), now);
                    self.failed.insert((key, output), now);
                    return None;
                }
            };
            if size > file.seen {
                self.set.apply(Change::Reach(key, size), now);
            }
            match reading {
                Reading::Span(span) => {
                    let span = self.completed(&span, output).unwrap_or(span);
                    self.set.apply(Change::HandOut(&span, output), now);
                    return Some(span);
                }
                Reading::TooLong { bytes, within_cut } => {
                    let reason = LossReason::TooLong;
                    self.set.apply(Change::Skip { key, output, bytes: &bytes, within_cut, reason }, now);
                }
                Reading::Hole(end) => {
                    let bytes = end - file_position(&self.set, key, output);
                    let file = self.set.get(key)?.path().display();
                    tracing::info!(%file, bytes, "a hole is skipped");
                    self.set.apply(Change::SkipHole(key, output, end), now);
                }
                Reading::ByteOrderMark => {
                    self.set.apply(Change::PassMark(key, output), now);
                }
                Reading::Foreign => {
                    // A scan leaves it alone, and says so.
                    self.set.apply(Change::Unfollow(key), now);
                    self.names.doubt();
                    return None;
                }
                Reading::Barren(end) => {
                    self.set.apply(Change::Barren(key, output, end), now);
                    return None;
                }
                // An open file has a descriptor to ask about it. That a compressed one was written over takes longer to find out.
                Reading::Suspicious if self.set.get(key)?.is_packed() => {
                    self.set.apply(Change::Meet(key, Fate::Measure { stat: None, was_cut: false }), now);
                    return None;
                }
                Reading::Suspicious => {
                    self.looker.suspect(&mut self.set, &mut self.names, key, now);
                    return None;
                }
                Reading::Nothing => return None,
            }
        }
        self.descriptors.asked.notify_one();
        None
    }

    /// Lets files be read again that could not be read for a while. True if there is one.
    pub(super) fn retry_failed(&mut self, now: Instant) -> bool {
        let failed = self.failed.iter();
        let due = failed.filter(|(_, since)| now.saturating_duration_since(**since) >= RETRY);
        let due: Vec<_> = due.map(|(of, _)| *of).collect();
        for (key, output) in &due {
            self.failed.remove(&(*key, *output));
            self.set.apply(Change::Fail(*key, *output, false), now);
        }
        !due.is_empty()
    }

    /// The end of a file with the first lines of the next file of the same path, if a line was rotated away in the middle.
    fn completed(&self, span: &Span, output: OutputId) -> Option<Span> {
        let file = self.set.get(span.key)?;
        let format = &file.source.treatment.format;
        let is_end = file.ended && file.has_successor() && span.mark == Mark::Whole && span.end() == file.seen;
        if !is_end || !format.has_parts() || format.extent(span.bytes()) > 0 {
            return None;
        }
        // Of several rotations that were seen together, the files can be found in any order.
        let later =
            self.set.of_path(file.path()).filter(|(key, next)| *key != span.key && next.modified >= file.modified);
        let (key, next) = later.min_by_key(|(_, next)| next.modified)?;
        if next.cursors[output.0].position > 0 {
            return None;
        }
        let Reading::Span(next) = read(next, key, output, self.bounds, &self.pool).ok()?.reading else { return None };
        let length = format.completion(span.bytes(), next.bytes())?;
        let whole = span.bytes().len() + length;
        (whole <= self.bounds.line).then(|| span.completed(&next, length, self.pool.empty(whole)))
    }
}

fn file_position(set: &FileSet, key: Key, output: OutputId) -> u64 {
    set.get(key).map_or(0, |file| file.cursors[output.0].position)
}
