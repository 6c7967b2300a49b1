//! One content of one file, from its first byte to its last, and how far each output has come in it.
//!
//! Its bytes never change. Their place can: the content of a file that is copied and truncated continues in the copy.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    content::{
        Content,
        identity::{Anchor, Fingerprint, HEAD_LIMIT, Head, Inode, born, name},
    },
    files::{ages::Ages, cursor::Cursor},
    records::{batch::Source, treatment::Treatment},
};

/// Whether more can come
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An input's pattern leads to it.
    Live,
    /// It has another name now, or it is the copy of a truncated file.
    Rotated,
    /// It has no name any more.
    Deleted,
    /// It is being looked for among compressed files; if it is not there, it is lost for this reason.
    Sought(&'static str),
    /// Its bytes are gone: truncated without a copy, or deleted while it was not open.
    Gone,
}

/// One content of one file
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) source: Arc<Source>,
    /// The directory in which the file itself lies, behind all links
    pub(crate) home: PathBuf,
    pub(crate) inode: Inode,
    /// When that was made, where it is known
    pub(crate) born: Option<i64>,
    /// `None` when it is gone, or complete and closed
    pub(crate) file: Option<Content>,
    /// Closed because others need the descriptor; opened again when there is something to read
    pub(crate) parked: bool,
    pub(crate) head: Head,
    /// The greatest size it was seen with
    pub(crate) seen: u64,
    /// Nanoseconds since 1970, as the file system says
    pub(crate) modified: i64,
    /// When its bytes came
    pub(crate) ages: Ages,
    /// When it was last seen to grow
    pub(crate) grown: Instant,
    pub(crate) place: Place,
    /// How many contents the inode had before
    pub(crate) ordinal: u32,
    /// The one whose lines come before its own, in the same input
    pub(crate) predecessor: Option<u64>,
    /// Nothing more is expected: a last line without newline is complete.
    pub(crate) ended: bool,
    /// It has not grown for a while: the last record, which could have gone on in further lines, is complete.
    pub(crate) still: bool,
    /// One for each output
    pub(crate) cursors: Vec<Cursor>,
}

impl Generation {
    /// One that begins now, in an open file.
    pub(crate) fn new(
        (path, treatment): (PathBuf, Arc<Treatment>),
        home: PathBuf,
        file: File,
        metadata: &Metadata,
        cursors: Vec<Cursor>,
    ) -> Self {
        let source = Source { path, generation: String::new(), treatment }.into();
        Self {
            source,
            home,
            inode: Inode::of(metadata),
            born: born(metadata),
            file: Some(Content::Plain(file)),
            parked: false,
            head: Head::default(),
            seen: 0,
            modified: modified(metadata),
            ages: Ages::default(),
            grown: Instant::now(),
            place: Place::Live,
            ordinal: 0,
            predecessor: None,
            ended: false,
            still: false,
            cursors,
        }
    }

    /// Takes its name, if it has none yet; `beginning` is what is read of it first.
    pub(crate) fn take_name(&mut self, beginning: &[u8]) -> io::Result<()> {
        if let (true, Some(file)) = (self.source.generation.is_empty(), &self.file) {
            let generation = name(&file.metadata()?, self.ordinal, beginning);
            let (path, treatment) = (self.source.path.clone(), self.source.treatment.clone());
            self.source = Source { path, generation, treatment }.into();
        }
        Ok(())
    }

    /// Takes the size, and all else that changes with it; false if the file is shorter than it was.
    pub(crate) fn look(&mut self, metadata: &Metadata, now: Instant) -> io::Result<bool> {
        let (size, grows) = (metadata.len(), metadata.len() > self.seen);
        // What was truncated may have grown to its old size since, or beyond it.
        let is_written = grows || modified(metadata) != self.modified;
        if size < self.seen || (is_written && !self.is_same(size)?) {
            return Ok(false);
        }
        self.modified = modified(metadata);
        self.grow(size, now);
        Ok(true)
    }

    /// Takes a size that is greater than before.
    pub(crate) fn grow(&mut self, size: u64, now: Instant) {
        if size > self.seen {
            let open = self.cursors.iter().filter(|cursor| !cursor.closed);
            self.ages.grew(size, open.map(|cursor| cursor.position).min().unwrap_or(0), now);
            (self.seen, self.grown, self.ended, self.still) = (size, now, false, false);
        }
    }

    /// Whether the open file still begins as it did, and has the bytes before the foremost cursor. Takes the head as far as it
    /// goes now.
    fn is_same(&mut self, size: u64) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        let foremost = self.cursors.iter().max_by_key(|cursor| cursor.position);
        if let Some(cursor) = foremost
            && Anchor::read(file, cursor.position)? != cursor.anchor
        {
            return Ok(false);
        }
        let is_known = self.head.length == HEAD_LIMIT && foremost.is_some_and(|cursor| cursor.position > 0);
        if is_known {
            return Ok(true);
        }
        let grown = self.head.grown(file, size)?;
        self.head = grown.unwrap_or(self.head);
        Ok(grown.is_some())
    }

    /// The marks that a file must have to hold this content
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let anchors = self.cursors.iter().map(|cursor| (cursor.position, cursor.anchor.hash())).collect();
        Fingerprint { head: self.head, anchors }
    }

    /// Whether an output may find something to do here.
    pub(crate) fn is_readable(&self, output: usize) -> bool {
        self.file.is_some() && self.wants(output)
    }

    /// The same, as if the file were open
    pub(crate) fn wants(&self, output: usize) -> bool {
        let cursor = &self.cursors[output];
        !cursor.closed
            && cursor.is_idle()
            && (cursor.barren_end < self.seen || (self.ended && cursor.position < self.seen))
    }

    /// Whether an output has settled everything.
    pub(crate) fn is_settled(&self, cursor: &Cursor) -> bool {
        let is_at_end = cursor.position >= self.seen && !matches!(self.place, Place::Sought(_));
        cursor.closed || (cursor.is_idle() && (self.place == Place::Gone || is_at_end))
    }

    pub(crate) fn is_all_settled(&self) -> bool {
        self.cursors.iter().all(|cursor| self.is_settled(cursor))
    }

    pub(crate) fn is_quiet(&self, since: Option<Instant>, period: Duration, now: Instant) -> bool {
        let still = since.map_or(self.grown, |since| since.max(self.grown));
        now.saturating_duration_since(still) >= period
    }

    /// Takes the last record for complete, since nothing has come for a while. True if that lets some output go on.
    pub(crate) fn rest(&mut self) -> bool {
        self.still = true;
        let mut news = false;
        for cursor in &mut self.cursors {
            news |= !cursor.closed && cursor.is_idle() && cursor.position < self.seen;
            cursor.barren_end = cursor.position;
        }
        news
    }

    /// Whether it is to end soon, or to be found
    pub(crate) fn is_restless(&self) -> bool {
        match self.place {
            Place::Live => self.source.treatment.format.joins_lines() && !self.still && !self.is_all_settled(),
            Place::Rotated | Place::Deleted => (self.file.is_some() || self.parked) && !self.ended,
            Place::Sought(_) => true,
            Place::Gone => self.is_all_settled(),
        }
    }

    /// Bytes that an output has not settled yet
    pub(crate) fn behind(&self, output: usize) -> u64 {
        let cursor = &self.cursors[output];
        let end = match self.place {
            _ if cursor.closed => 0,
            Place::Gone => cursor.in_flight_end,
            _ => self.seen,
        };
        end.saturating_sub(cursor.position)
    }

    /// How old the oldest of them is
    pub(crate) fn age(&self, output: usize, now: Instant) -> Duration {
        if self.behind(output) == 0 { Duration::ZERO } else { self.ages.of(self.cursors[output].position, now) }
    }
}

/// When the content last changed, in nanoseconds since 1970
pub(crate) fn modified(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}
