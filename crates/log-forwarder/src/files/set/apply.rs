//! The one way in which the set of files changes.

use std::{path::Path, sync::Arc, time::Instant};

use super::{FileSet, KnownOutput, MOST_ORDINALS};
use crate::{
    content::{Content, copies::Copy, foreign::BYTE_ORDER_MARK, measure::Packed, volume::Stat},
    files::{
        copied::log_copy,
        cursor::Cursor,
        fate::Fate,
        known::{Access, FileState, Key, KnownFile, OutputId},
        loss::LossReason,
        trust::{MOST_REWRITES, Trust},
    },
    format::amount::Amount,
    records::span::{Source, Span},
};

/// A change of the set
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// An output with this label comes, and gets all existing lines.
    AddOutput(String),
    /// An output goes, and how far it has come is forgotten.
    RemoveOutput(OutputId),
    /// A file is followed from now on, under this key.
    Begin(Key, Box<KnownFile>),
    /// A file meets its fate.
    Meet(Key, Fate),
    /// Another treatment of the lines of a file
    Treat(Key, Arc<Source>),
    /// A file lies in another directory.
    Move(Key, Arc<Path>),
    /// No input leads to a file any more.
    Unfollow(Key),
    /// An output gets a span.
    HandOut(&'a Span, OutputId),
    /// A read found a file at least this long.
    Reach(Key, u64),
    /// An output finds no end of a record before this offset.
    NoNewlineBefore(Key, OutputId, u64),
    /// An output never gets these bytes, with which a line ends or not.
    Skip { key: Key, output: OutputId, bytes: &'a [u8], within_cut: bool, reason: LossReason },
    /// An output passes over a hole that ends at this offset.
    SkipHole(Key, OutputId, u64),
    /// The bytes behind an output's cursor could not be read, or are tried again.
    Fail(Key, OutputId, bool),
    /// An output passes over the byte order mark at the head.
    PassMark(Key, OutputId),
    /// Records of a batch are acknowledged.
    Deliver(OutputId, Amount),
    /// Records of a batch are refused for good.
    Reject(OutputId, Amount),
    /// Filters drop records of a batch.
    Drop(OutputId, Amount),
    /// Records of a batch are given up, because their output was removed.
    Abandon(OutputId, Amount),
    /// All records of a span are accounted for, and the cursor moves to its end.
    Settle(&'a Span, OutputId),
}

impl FileSet {
    /// Applies a change. True if an output may find something new to do.
    pub(crate) fn apply(&mut self, change: Change, now: Instant) -> bool {
        self.index.now = Some(now);
        match change {
            Change::AddOutput(label) => self.add_output(&label),
            Change::RemoveOutput(output) => self.remove_output(output),
            Change::Begin(key, file) => self.begin(key, file),
            Change::Meet(key, fate) => return self.meet(key, fate, now),
            Change::Treat(key, source) => self.change(key, |file| file.treat(source)),
            Change::Move(key, home) => {
                self.has_moved = true;
                self.change(key, |file| file.home = home);
            }
            Change::Unfollow(key) => self.forget(key),
            Change::HandOut(span, output) => {
                self.ledger.of(output).read(span.amount());
                for span in span.by_file() {
                    self.change(span.key, |file| {
                        file.source = span.source.clone();
                        // The lines that complete a record can stand behind the end that a look has seen.
                        file.reach(span.end(), now);
                        file.cursors[output.0].hand_out(span);
                    });
                }
            }
            Change::Reach(key, size) => self.change(key, |file| file.reach(size, now)),
            Change::Fail(key, output, has) => self.change(key, |file| file.cursors[output.0].has_failed = has),
            Change::NoNewlineBefore(key, output, end) => {
                self.change(key, |file| file.cursors[output.0].no_newline_before = end);
            }
            Change::Skip { key, output, bytes, within_cut, reason } => {
                self.ledger.of(output).lost(bytes.len() as u64, reason);
                // A restart would count them once more.
                self.has_moved = true;
                self.change(key, |file| file.cursors[output.0].skip(bytes, within_cut));
            }
            Change::SkipHole(key, output, end) => self.change(key, |file| file.cursors[output.0].skip_hole(end)),
            Change::PassMark(key, output) => {
                self.change(key, |file| file.cursors[output.0].skip(BYTE_ORDER_MARK, false));
            }
            Change::Deliver(output, amount) => self.ledger.of(output).delivered(amount),
            Change::Reject(output, amount) => self.ledger.of(output).rejected(amount),
            Change::Drop(output, amount) => self.ledger.of(output).dropped(amount),
            Change::Abandon(output, amount) => self.ledger.of(output).abandoned(amount),
            Change::Settle(span, output) => {
                self.settled += span.length();
                for span in span.by_file().filter(|_| !span.goes_on) {
                    self.change(span.key, |file| {
                        let cursor = &mut file.cursors[output.0];
                        if !cursor.is_closed {
                            cursor.settle(span);
                        }
                    });
                }
            }
        }
        true
    }

    fn meet(&mut self, key: Key, fate: Fate, now: Instant) -> bool {
        let mut is_news = true;
        match fate {
            Fate::KeepReading => is_news = false,
            Fate::Grow(growth) => {
                // A loss that is found after a restart is counted up to the size that was seen.
                self.has_moved |= self.files.get(&key).is_some_and(|file| file.seen != growth.size);
                self.change(key, |file| file.grow(growth, now));
            }
            Fate::SetState(state) => {
                (self.has_moved, is_news) = (true, false);
                self.change(key, |file| file.state = state);
            }
            Fate::Mistrust => self.change(key, |file| (file.rewrites, is_news) = (MOST_REWRITES, false)),
            Fate::ReadOut { is_displaced } => {
                self.change(key, |file| file.trust = Trust::None);
                if is_displaced {
                    self.release_inode(key);
                    self.change(key, |file| file.state = FileState::Rotated);
                }
            }
            Fate::End => self.change(key, |file| file.ended = true),
            Fate::FinishRecord => self.change(key, |file| is_news = file.finish_record()),
            Fate::Close => self.change(key, |file| file.access = Access::Closed),
            Fate::Park => self.change(key, |file| file.access = Access::Parked),
            Fate::Reopen(content, anchors) => self.change(key, |file| file.attach(content, &anchors, now)),
            Fate::Refresh(content) => self.change(key, |file| file.access = Access::Open(content)),
            Fate::Detach => {
                self.has_moved = true;
                self.change(key, |file| (file.access, file.state) = (Access::Closed, FileState::Rotated));
            }
            Fate::AwaitName => {
                is_news = false;
                self.leave(key, FileState::Missing, now);
            }
            Fate::ContinueInCopy(copy) => self.continue_in_copy(key, *copy, now),
            Fate::ContinueInPacked(packed) => self.continue_in_packed(key, *packed, now),
            Fate::Measure { stat, was_cut } => {
                self.change(key, |file| file.measure(stat.as_ref(), was_cut, now));
                is_news = false;
            }
            Fate::TakeAsRead(packed) => {
                self.has_moved = true;
                self.change(key, |file| file.take_as_read(&packed));
            }
            Fate::SearchPacked(reason) => {
                self.release_inode(key);
                self.leave(key, FileState::Sought(reason), now);
            }
            Fate::Lose(reason) => self.lose(key, reason),
            Fate::Forget => self.forget(key),
        }
        is_news
    }

    fn add_output(&mut self, label: &str) {
        self.ledger.open(label);
        self.known_outputs.push(KnownOutput { label: label.into(), is_closed: false });
        self.index.add_output();
        self.change_all(|file| file.cursors.push(Cursor::default()));
    }

    fn remove_output(&mut self, output: OutputId) {
        self.known_outputs[output.0].is_closed = true;
        self.change_all(|file| file.cursors[output.0] = Cursor::closed());
    }

    fn begin(&mut self, key: Key, file: Box<KnownFile>) {
        self.next_key = self.next_key.max(key + 1);
        // An inode that a file of a former run had may hold something else by now.
        if file.is_untouched() || !matches!(file.access, Access::Closed) || self.holder(file.inode).is_none() {
            self.index.by_inode.insert(file.inode, key);
        }
        self.index.add(key, &file);
        self.files.insert(key, file);
        self.has_moved = true;
    }

    fn forget(&mut self, key: Key) {
        self.release_inode(key);
        if let Some(file) = self.files.remove(&key) {
            self.index.remove(key, &file);
            self.has_moved = true;
        }
    }

    /// Lines that were written between the copy and the truncation are lost.
    fn continue_in_copy(&mut self, key: Key, copy: Copy, now: Instant) {
        let Copy { path, content, stat, anchors } = copy;
        self.change(key, |file| {
            log_copy(file, &path, stat.size);
            file.anchor(&anchors);
        });
        if self.files.get(&key).is_some_and(|file| stat.size < file.seen) {
            self.cut(key, stat.size);
        }
        self.move_to(key, content, &stat, false, now);
    }

    fn continue_in_packed(&mut self, key: Key, packed: Packed, now: Instant) {
        let Packed { path, unpacked, length, anchors, stat, head, .. } = packed;
        // An input may have led to the copy, before it was known whose content it holds.
        if let Some(untouched) = self.holder(stat.inode).filter(|holder| *holder != key) {
            self.forget(untouched);
        }
        self.change(key, |file| {
            if file.inode != stat.inode {
                log_copy(file, &path, length);
            }
            file.anchor(&anchors);
        });
        self.cut(key, length);
        self.change(key, |file| {
            (file.head, file.modified, file.packed_size) = (head, stat.modified, Some(stat.size));
            file.reach(length, now);
        });
        self.move_to(key, Content::Packed(unpacked), &stat, true, now);
    }

    /// The content of a file lies there from now on.
    fn move_to(&mut self, key: Key, content: Content, stat: &Stat, ended: bool, now: Instant) {
        self.release_inode(key);
        self.index.by_inode.insert(stat.inode, key);
        self.has_moved = true;
        self.change(key, |file| {
            (file.inode, file.born, file.state, file.zeros) = (stat.inode, stat.born, FileState::Rotated, 0);
            file.access = Access::Open(content);
            // The next look finds bytes that the copy has and that were not seen.
            (file.ended, file.grown) = (ended, now);
        });
    }

    /// The inode of a file holds, or may come to hold, another content.
    pub(super) fn release_inode(&mut self, key: Key) {
        let Some(&KnownFile { inode, ordinal, .. }) = self.get(key) else { return };
        if self.index.by_inode.get(&inode) == Some(&key) {
            self.index.by_inode.remove(&inode);
            if self.ordinals.len() >= MOST_ORDINALS {
                self.ordinals.pop_first();
            }
            self.ordinals.insert(inode, ordinal + 1);
        }
    }

    /// Nothing is known of a file's place from now on.
    fn leave(&mut self, key: Key, state: FileState, now: Instant) {
        self.change(key, |file| (file.access, file.state, file.grown) = (Access::Closed, state, now));
    }

    pub(super) fn change(&mut self, key: Key, change: impl FnOnce(&mut KnownFile)) {
        if let Some(file) = self.files.get_mut(&key) {
            self.index.change(key, file, change);
        }
    }

    fn change_all(&mut self, change: impl Fn(&mut KnownFile)) {
        self.files.iter_mut().for_each(|(key, file)| self.index.change(*key, file, &change));
        self.has_moved = true;
    }
}
