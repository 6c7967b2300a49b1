//! The batches that an output gets, one after the other, from each file in turn.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::Follower;
use crate::{
    files::{
        cursor::Cursor,
        fate::Fate,
        known::{Key, KnownFile, OutputId},
        loss::LossReason,
        reading::{Bounds, Read, Reading, read},
        set::Change,
    },
    records::{batch::Sifted, complete::MOST_LINES, growing::Growing, span::Source},
};

/// After an error a file is not read for this long. Later files of its path are read.
const RETRY: Duration = Duration::from_secs(2);

/// Reads of one file at once that bring no line. More of a line without an end are read after
/// others had their turn, because a compressed file can have one of many gigabytes.
const MOST_STEPS: usize = 16;

/// Files that are looked at in vain for one batch, because their lines may not stand in it. With a
/// stream for each of thousands of files, each batch would look at all of them.
const MOST_APART: usize = 64;

/// A file with this number of lines in a batch gets no more of them: with a further read it could have
/// more than outputs take at once, and would be halved.
const MANY_LINES: usize = MOST_LINES / 4;

/// Whether spans of two sources may stand in one batch
type Joins<'a> = &'a dyn Fn(&Source, &Source) -> bool;

impl Follower {
    /// Whether a batch is to wait for no more lines. Files that wait for a descriptor get one once
    /// it is sent.
    pub(crate) fn is_enough(&self, output: OutputId, batch: &Growing) -> bool {
        let length = batch.length() as u64 + self.waiting(output);
        length >= self.gathered as u64 || batch.is_full() || self.descriptors.waiting > 0
    }

    /// Unread bytes that an output could get. While files wait for a descriptor they are enough for
    /// a batch, because those that are open keep others waiting.
    pub(super) fn waiting(&self, output: OutputId) -> u64 {
        match self.set.readable_bytes(output) {
            0 => 0,
            bytes if self.descriptors.waiting > 0 => bytes.max(self.gathered as u64),
            bytes => bytes,
        }
    }

    /// The next batch for an output, of all that is there now
    #[cfg(test)]
    pub(crate) fn next(
        &mut self,
        output: OutputId,
        joins: Option<Joins>,
        now: Instant,
    ) -> Option<crate::records::batch::Batch> {
        let mut batch = Growing::default();
        self.gather(output, joins, &mut batch, now);
        batch.take()
    }

    /// Reads the next lines for an output: file by file in turn, and of one path the older file
    /// first. The batch is of one file, unless others may join it.
    pub(crate) fn gather(&mut self, output: OutputId, joins: Option<Joins>, batch: &mut Growing, now: Instant) {
        loop {
            let failed = self.failed.len();
            let most = joins.map_or(usize::MAX, |_| self.gathered);
            if joins.is_some() {
                self.extend(output, batch, most, now);
            }
            self.add_files(output, joins, batch, most, now);
            if joins.is_some() {
                self.extend(output, batch, most, now);
            }
            // Later files waited for one that has just failed.
            if !batch.is_empty() || self.failed.len() == failed {
                return;
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

    /// Adds lines of files that the batch does not have yet.
    fn add_files(&mut self, output: OutputId, joins: Option<Joins>, spans: &mut Growing, most: usize, now: Instant) {
        let turn = self.turns.get(&output).copied().unwrap_or(0);
        let mut apart = 0;
        // Each file is asked for when it is its turn: a list of all would cost more than most
        // batches.
        'files: for mut keys in [turn..Key::MAX, 0..turn] {
            while let Some(key) = self.set.first_readable(output, keys.clone()) {
                keys.start = key + 1;
                let Some(file) = self.set.get(key) else { continue };
                let is_apart = match (spans.first(), joins) {
                    (None, _) => false,
                    (Some(first), Some(joins)) if spans.length() < most && !spans.is_full() => {
                        !joins(&first.source, &file.source)
                    }
                    (Some(_), _) => break 'files,
                };
                if is_apart && apart == MOST_APART {
                    break 'files;
                }
                if is_apart {
                    apart += 1;
                    continue;
                }
                let batch = self.bounds.batch.min(most - spans.length());
                let bounds = Bounds { batch, may_grow: spans.is_empty(), ..self.bounds };
                self.read(key, output, spans, bounds, now);
            }
        }
        if spans.is_empty() && self.descriptors.waiting > 0 {
            self.descriptors.asked.notify_one();
        }
    }

    /// Appends the lines that have come since in the files of a batch.
    fn extend(&mut self, output: OutputId, batch: &mut Growing, most: usize, now: Instant) {
        let grown: Vec<Key> = self.set.grown(output).filter(|key| batch.of_file(*key).is_some()).collect();
        for key in grown {
            if batch.length() < most {
                self.read_on(key, output, batch, most - batch.length(), now);
            }
        }
    }

    /// Appends the next lines of a file to its span. All but whole lines waits until that is
    /// settled.
    fn read_on(&mut self, key: Key, output: OutputId, batch: &mut Growing, room: usize, now: Instant) -> Option<()> {
        let (file, span) = (self.set.get(key)?, batch.of_file(key)?);
        let cursor = &file.cursors[output.0];
        let is_over =
            span.is_sealed || cursor.no_newline_before >= file.seen || !Arc::ptr_eq(&span.source, &file.source);
        if is_over {
            return None;
        }
        if span.newlines() >= MANY_LINES {
            batch.fill();
            return None;
        }
        let has_parts = file.source.treatment.format.has_parts();
        let bounds = Bounds { batch: self.bounds.batch.min(room), may_grow: false, ..self.bounds };
        let read = read(file, key, &cursor.behind(span), bounds, &self.pool);
        let Read { reading, size } = read.map_err(|error| self.fail(key, output, &error, now)).ok()?;
        self.set.apply(Change::Reach(key, size), now);
        match reading {
            // A line that was rotated away in the middle is read on its own, and completed.
            Reading::Span(next) if !(next.is_sealed && has_parts) && batch.append(&next) => {
                self.set.apply(Change::HandOut(&next, output), now);
            }
            Reading::Suspicious => drop(self.suspect(key, output, now)),
            Reading::Nothing | Reading::NoRoom => {}
            _ => drop(self.set.apply(Change::NoNewlineBefore(key, output, size), now)),
        }
        Some(())
    }

    /// A file cannot be read, and is tried again later.
    fn fail(&mut self, key: Key, output: OutputId, error: &io::Error, now: Instant) {
        let Some(file) = self.set.get(key) else { return };
        self.looker.complaints.warn(file.path(), "cannot read", lifecycle::io_text(error), now);
        if file.is_packed() {
            // Only on a thread of its own it is found out why.
            self.set.apply(Change::Meet(key, Fate::Measure { stat: None, was_cut: false }), now);
        }
        self.let_be(key, output, now);
    }

    /// A file is not read for a while.
    fn let_be(&mut self, key: Key, output: OutputId, now: Instant) {
        self.set.apply(Change::Fail(key, output, true), now);
        self.failed.insert((key, output), now);
    }

    /// A file is shorter than it was, or holds something else. An open one has a descriptor to ask
    /// about it. That a compressed one was written over takes longer to find out. True if it may be
    /// read now.
    fn suspect(&mut self, key: Key, output: OutputId, now: Instant) -> bool {
        if self.set.get(key).is_some_and(KnownFile::is_packed) {
            self.set.apply(Change::Meet(key, Fate::Measure { stat: None, was_cut: false }), now);
            return false;
        }
        let is_news = self.looker.suspect(&mut self.set, &mut self.names, key, now);
        if !is_news {
            // No event says when its bytes stay as they are.
            self.let_be(key, output, now);
        }
        is_news
    }

    /// Adds the next lines of a file that the batch does not have yet.
    fn read(&mut self, key: Key, output: OutputId, batch: &mut Growing, bounds: Bounds, now: Instant) -> Option<()> {
        for _ in 0..MOST_STEPS {
            let file = self.set.get(key)?;
            if !file.wants(output) {
                return None;
            }
            let read = read(file, key, &file.cursors[output.0], bounds, &self.pool);
            let Read { reading, size } = read.map_err(|error| self.fail(key, output, &error, now)).ok()?;
            self.set.apply(Change::Reach(key, size), now);
            match reading {
                Reading::Span(span) => {
                    let span = self.completed(span, output)?;
                    self.set.apply(Change::HandOut(&span, output), now);
                    self.turns.insert(output, key + 1);
                    batch.push(span);
                    return Some(());
                }
                Reading::TooLong { bytes, within_cut } => {
                    let reason = LossReason::TooLong;
                    self.set.apply(Change::Skip { key, output, bytes: &bytes, within_cut, reason }, now);
                }
                Reading::Hole(end) => {
                    let file = self.set.get(key)?;
                    let (Cursor { position, anchor, .. }, path) = (&file.cursors[output.0], file.path().display());
                    // A long hole is skipped in parts.
                    if *position == 0 || anchor.bytes().iter().any(|byte| *byte != 0) {
                        tracing::info!(file = %path, offset = position, "a hole is skipped");
                    }
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
                Reading::NoNewlineBefore(end) => {
                    self.set.apply(Change::NoNewlineBefore(key, output, end), now);
                    return None;
                }
                Reading::NoRoom => {
                    // The next batch begins with it: it would wait for as long as other files have
                    // lines.
                    self.turns.insert(output, key);
                    batch.fill();
                    return None;
                }
                Reading::Suspicious if self.suspect(key, output, now) => {}
                Reading::Suspicious | Reading::Nothing => return None,
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
}
