//! A file as this program knows it: one content, from its first byte to its last, and how far each
//! output has come in it.
//!
//! A content never changes; its place can, from a truncated file to the copy. Only the
//! [set](super::set) changes a known file.

mod packed;
mod succession;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{ages::Ages, cursor::Cursor, growth::Growth, loss::LossReason, trust::Trust};
use crate::{
    content::{
        Content,
        fingerprint::{Anchors, Fingerprint, Head},
        volume::{Handle, Inode, Stat},
    },
    records::{span::Source, treatment::Treatment},
};

/// A number of the file, in the order in which the files began
pub(crate) type Key = u64;

/// An output, by its place in the order in which outputs came. Numbers are not given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OutputId(pub(crate) usize);

/// Where a file is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileState {
    /// A name of an input leads to it.
    Live,
    /// It has another name now, or it is the copy of a truncated file.
    Rotated,
    /// It has no name any more.
    Deleted,
    /// It is on a mount that may not tell its new name yet, was read to its end, and is closed.
    Missing,
    /// It is compressed, and its length is not known yet. At the last look it may have had no end.
    Unmeasured { was_cut: bool },
    /// It is looked for among compressed files. If it is not there, it is lost for this reason.
    Sought(LossReason),
    /// Its bytes are gone, and those that were not read are counted as lost.
    Lost,
    /// No input leads to it any more, and it is not read.
    Aside,
}

/// Whether a file can be read now
#[derive(Debug)]
pub(crate) enum Access {
    Open(Content),
    /// Closed because others need the descriptor; opened again when there is something to read
    Parked,
    /// Closed because it is complete, could not be opened, or is gone
    Closed,
}

/// One content of one file
#[derive(Debug)]
pub(crate) struct KnownFile {
    pub(crate) source: Arc<Source>,
    /// The directory in which the file itself lies, behind all links
    pub(crate) home: Arc<Path>,
    pub(crate) inode: Inode,
    /// When the inode was made, in nanoseconds since 1970, where the file system knows it
    pub(crate) born: Option<i64>,
    pub(crate) access: Access,
    pub(crate) head: Head,
    /// The greatest size of its text that it was seen with
    pub(crate) seen: u64,
    /// NULs behind the text, in whose place the next lines may come
    pub(crate) zeros: u64,
    /// Nanoseconds since 1970, as the file system says
    pub(crate) modified: i64,
    /// The same of its text, also when that lies in a file that was compressed later
    pub(crate) written: i64,
    /// The size of the compressed file, if the bytes lie in one
    pub(crate) packed_size: Option<u64>,
    /// When its bytes came
    pub(crate) ages: Ages,
    /// When it was last seen to grow
    pub(crate) grown: Instant,
    pub(crate) state: FileState,
    /// How many contents the inode had before
    pub(crate) ordinal: u32,
    /// No more bytes will come: a last line without a newline is complete.
    pub(crate) ended: bool,
    /// It has not grown for a while: the last record, which could have gone on in further lines, is
    /// complete.
    pub(crate) is_quiet: bool,
    pub(crate) trust: Trust,
    /// How many contents in a row have had only another head than the one before
    pub(crate) rewrites: u8,
    /// One for each output
    pub(crate) cursors: Vec<Cursor>,
}

impl KnownFile {
    /// One that begins now, with nothing read and nothing seen
    pub(crate) fn new(
        (path, treatment): (Arc<Path>, Arc<Treatment>),
        home: Arc<Path>,
        file: Arc<dyn Handle>,
        stat: &Stat,
        cursors: Vec<Cursor>,
        now: Instant,
    ) -> Self {
        let trust = Trust::in_words_about(file.as_ref());
        Self {
            source: Source { path, generation: "".into(), treatment }.into(),
            home,
            inode: stat.inode,
            born: stat.born,
            access: Access::Open(Content::Plain(file)),
            head: Head::default(),
            seen: 0,
            zeros: 0,
            modified: stat.modified,
            written: stat.modified,
            packed_size: None,
            ages: Ages::default(),
            grown: now,
            state: FileState::Live,
            ordinal: 0,
            ended: false,
            is_quiet: false,
            trust,
            rewrites: 0,
            cursors,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.source.path
    }

    pub(crate) fn content(&self) -> Option<&Content> {
        if let Access::Open(content) = &self.access { Some(content) } else { None }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.access, Access::Open(_))
    }

    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.access, Access::Parked)
    }

    /// The marks that a file must have to hold this content
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let anchors = self.cursors.iter().map(|cursor| (cursor.position, cursor.anchor.hash())).collect();
        Fingerprint { head: self.head, anchors }
    }

    /// Whether an output would find something to do here, if the file is open.
    pub(crate) fn wants(&self, output: OutputId) -> bool {
        self.cursors[output.0].is_idle() && self.unread(output).is_some()
    }

    /// The bytes behind those that an output has, if it would find something to do there.
    pub(crate) fn unread(&self, output: OutputId) -> Option<u64> {
        let cursor = &self.cursors[output.0];
        let is_open = !(cursor.is_closed || cursor.has_failed || matches!(self.access, Access::Closed));
        let no_newline_before = if self.ended { 0 } else { cursor.no_newline_before };
        (is_open && no_newline_before.max(cursor.in_flight_end) < self.seen).then(|| self.seen - cursor.in_flight_end)
    }

    /// Whether an output has settled everything.
    fn is_settled(&self, cursor: &Cursor) -> bool {
        let is_unknown = matches!(self.state, FileState::Sought(_) | FileState::Unmeasured { .. });
        let is_at_end = cursor.position >= self.seen && !is_unknown;
        let is_given_up = matches!(self.state, FileState::Lost | FileState::Aside);
        cursor.is_closed || (cursor.is_idle() && (is_given_up || is_at_end))
    }

    pub(crate) fn is_all_settled(&self) -> bool {
        self.cursors.iter().all(|cursor| self.is_settled(cursor))
    }

    /// Whether it has not grown for a period, which does not begin before `since`.
    pub(crate) fn is_still(&self, since: Option<Instant>, period: Duration, now: Instant) -> bool {
        let still = since.map_or(self.grown, |since| since.max(self.grown));
        now.saturating_duration_since(still) >= period
    }

    /// Whether the app may write to it still, as far as that is known
    pub(crate) fn may_grow(&self) -> bool {
        self.state == FileState::Live || (!matches!(self.access, Access::Closed) && !self.ended)
    }

    /// Whether it must be looked at soon, because it is about to end or to be found
    pub(crate) fn is_restless(&self) -> bool {
        match self.state {
            FileState::Live => self.source.treatment.format.joins_lines() && !self.is_quiet && !self.is_all_settled(),
            FileState::Rotated | FileState::Deleted => !matches!(self.access, Access::Closed) && !self.ended,
            FileState::Sought(_) | FileState::Unmeasured { .. } => true,
            FileState::Lost => self.is_all_settled(),
            FileState::Aside | FileState::Missing => false,
        }
    }

    /// Bytes that an output has not settled yet
    pub(crate) fn behind(&self, output: OutputId) -> u64 {
        let cursor = &self.cursors[output.0];
        let end = match self.state {
            _ if cursor.is_closed => 0,
            FileState::Lost | FileState::Aside => cursor.in_flight_end,
            _ => self.seen,
        };
        end.saturating_sub(cursor.position)
    }

    /// How old the oldest of them is
    pub(crate) fn age(&self, output: OutputId, now: Instant) -> Duration {
        if self.behind(output) == 0 { Duration::ZERO } else { self.ages.of(self.cursors[output.0].position, now) }
    }

    /// Whether every output has all that its file holds now.
    pub(crate) fn is_complete(&self, stat: &Stat) -> bool {
        self.is_all_settled() && self.size() == stat.size && self.modified == stat.modified
    }

    /// Whether this is the file, and it was not written since the last look.
    pub(crate) fn is_unchanged(&self, stat: &Stat) -> bool {
        stat.is_of(self.inode, self.born) && self.size() == stat.size && self.modified == stat.modified
    }

    /// The cursor that is farthest
    pub(crate) fn foremost(&self) -> Option<&Cursor> {
        self.cursors.iter().max_by_key(|cursor| cursor.position)
    }

    /// Reading begins there, for each output.
    pub(super) fn begin_at(&mut self, first: &Cursor) {
        self.cursors.iter_mut().filter(|cursor| !cursor.is_closed).for_each(|cursor| *cursor = first.clone());
    }

    /// Its lines are read in another way, which may find a record where there was none.
    pub(super) fn treat(&mut self, source: Arc<Source>) {
        self.source = source;
        self.cursors.iter_mut().for_each(|cursor| cursor.no_newline_before = cursor.position);
    }

    /// Takes the size, and all that changes with it.
    pub(super) fn grow(&mut self, growth: Growth, now: Instant) {
        (self.modified, self.born, self.head) = (growth.modified, growth.born, growth.head);
        self.written = growth.modified;
        self.reach(growth.size, now);
        self.zeros = growth.zeros;
    }

    /// Takes a size that may be greater than before.
    pub(super) fn reach(&mut self, size: u64, now: Instant) {
        if size > self.seen {
            let open = self.cursors.iter().filter(|cursor| !cursor.is_closed);
            self.ages.grew(size, open.map(|cursor| cursor.position).min().unwrap_or(0), now);
            self.zeros = self.zeros.saturating_sub(size - self.seen);
            (self.seen, self.grown, self.ended, self.is_quiet) = (size, now, false, false);
        }
    }

    /// Takes the last record for complete. True if that lets some output go on.
    pub(super) fn finish_record(&mut self) -> bool {
        self.is_quiet = true;
        let mut is_news = false;
        for cursor in &mut self.cursors {
            is_news |= !cursor.is_closed && cursor.is_idle() && cursor.position < self.seen;
            cursor.no_newline_before = cursor.position;
        }
        is_news
    }

    /// Gives its cursors the bytes that stand before them; after a restart they have none yet.
    pub(super) fn anchor(&mut self, anchors: &Anchors) {
        for cursor in &mut self.cursors {
            if let Some(anchor) = anchors.get(&cursor.position) {
                cursor.anchor = anchor.clone();
            }
        }
    }

    /// Gives it its open file, and its cursors the bytes that stand before them.
    pub(crate) fn attach(&mut self, content: Content, anchors: &Anchors, now: Instant) {
        self.anchor(anchors);
        // While it was parked, its growth was looked at all the time.
        if !self.is_parked() {
            (self.grown, self.ended) = (now, false);
        }
        if let Content::Plain(handle) = &content {
            self.trust = Trust::in_words_about(handle.as_ref());
        }
        self.access = Access::Open(content);
    }
}
