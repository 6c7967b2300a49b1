//! The lines of a file that does not grow, as spans of whole records.

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use memchr::memchr_iter;

use crate::{
    content::{
        foreign::{BYTE_ORDER_MARK, ENOUGH, Kind, kind},
        zeros::{HOLE, hole, trimmed},
    },
    records::{
        complete::{complete_records, whole_lines},
        framing::{Frame, frame},
        pool::Pool,
        span::{Mark, Source, Span},
        treatment::Treatment,
    },
};

/// Bytes that are read at once
const CHUNK: usize = 256 * 1024;

/// Reads spans, one after the other
pub(super) struct Lines<'a> {
    input: &'a mut dyn Read,
    source: Arc<Source>,
    longest: usize,
    /// The bytes that were read and are in no span yet
    bytes: Vec<u8>,
    offset: u64,
    is_skipping: bool,
    is_over: bool,
    /// Newlines before the bytes, and before the last span
    newlines: (u64, u64),
    kind: Kind,
}

impl<'a> Lines<'a> {
    pub(super) fn new(input: &'a mut dyn Read, treatment: Treatment, longest: usize) -> Self {
        let source = Source { path: Path::new("-").into(), generation: "".into(), treatment: treatment.into() };
        Self {
            input,
            source: source.into(),
            longest,
            bytes: Vec::new(),
            offset: 0,
            is_skipping: false,
            is_over: false,
            newlines: (0, 0),
            kind: Kind::Lines,
        }
    }

    /// The number of the first line of the last span
    pub(super) fn first_line(&self) -> u64 {
        self.newlines.1 + 1
    }

    /// The kind of the file
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The next whole records; those at the end of the file are taken as they are.
    pub(super) fn next(&mut self) -> io::Result<Option<Span>> {
        if self.offset == 0 && self.bytes.is_empty() {
            // A stream may bring less than the mark of a compressed file, which has no newline.
            while !self.is_over && self.bytes.len() < ENOUGH && !self.bytes.contains(&b'\n') {
                self.read()?;
            }
            self.kind = kind(&self.bytes);
            if self.bytes.starts_with(BYTE_ORDER_MARK) {
                self.take(BYTE_ORDER_MARK.len());
            }
        }
        loop {
            self.pass_hole();
            // NULs at the end may be a hole, or come before text.
            let text = &self.bytes[..trimmed(&self.bytes)];
            let hole = hole(text);
            let is_last = self.is_over || hole.is_some();
            let text = hole.map_or(text, |hole| &text[..hole.start]);
            let (length, mark) = match frame(text, self.longest, self.is_skipping, is_last) {
                Frame::Lines(lines) => {
                    (self.records(&text[..lines], is_last || text.len() > self.longest), Mark::Whole)
                }
                Frame::Cut(length) => (length, Mark::Cut),
                Frame::Unfinished(length) => (length, Mark::Unfinished),
                Frame::Skip { length, ended } => {
                    self.is_skipping = !ended;
                    self.take(length);
                    continue;
                }
                Frame::Partial => (0, Mark::Whole),
            };
            if length > 0 {
                self.is_skipping = mark == Mark::Cut;
                return Ok(Some(self.span(length, mark)));
            }
            if self.is_over {
                return Ok(None);
            }
            self.read()?;
        }
    }

    /// How many of these bytes of whole lines are to be taken; nothing, if their only record may go
    /// on and is not to be divided.
    fn records(&self, lines: &[u8], may_divide: bool) -> usize {
        match complete_records(&self.source.treatment.format, lines, self.longest) {
            0 if may_divide => whole_lines(lines, self.longest),
            length => length,
        }
    }

    /// Passes over a hole before the next line. Its last NULs stay until text follows, so that the
    /// rest of it is known as a part of a hole.
    fn pass_hole(&mut self) {
        let text = self.bytes.iter().position(|byte| *byte != 0);
        let zeros = text.unwrap_or(self.bytes.len());
        if zeros >= HOLE {
            self.take(if text.is_some() { zeros } else { zeros - HOLE });
            self.is_skipping = false;
        }
    }

    /// Waits for some bytes and not for more, so that the lines of a stream are shown when they
    /// come.
    fn read(&mut self) -> io::Result<()> {
        let known = self.bytes.len();
        self.bytes.resize(known + CHUNK, 0);
        let read = loop {
            match self.input.read(&mut self.bytes[known..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.bytes.truncate(known + *read.as_ref().unwrap_or(&0));
        self.is_over = read? == 0;
        Ok(())
    }

    fn span(&mut self, length: usize, mark: Mark) -> Span {
        let mut buffer = Pool::default().empty(length);
        buffer.extend_from_slice(&self.bytes[..length]);
        let span = Span::new((self.source.clone(), 0), mark, self.offset, buffer, 0..length);
        self.take(length);
        span
    }

    fn take(&mut self, length: usize) {
        self.offset += length as u64;
        let newlines = memchr_iter(b'\n', &self.bytes[..length]).count() as u64;
        self.newlines = (self.newlines.0 + newlines, self.newlines.0);
        self.bytes.drain(..length);
    }
}
