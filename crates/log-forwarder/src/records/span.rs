//! A contiguous range of lines of one content, as slices of the buffer that it was read into.

mod dividing;
mod examine;
mod joining;
mod lines;
mod retreated;

use std::{
    hash::Hasher,
    ops::{Add, Range},
    path::Path,
    sync::{Arc, OnceLock},
};

use fnv::FnvHasher;

use crate::{
    content::fingerprint::hash_of_end,
    filters::Redaction,
    format::{
        Extent, Format, Split,
        amount::{Amount, Tally, newlines},
        record::Record,
    },
    records::{
        pool::Buffer,
        timestamp,
        treatment::{Reading, Treatment},
    },
};

/// Where a span comes from
#[derive(Debug)]
pub(crate) struct Source {
    /// The path by which the file was found
    pub(crate) path: Arc<Path>,
    /// The generation's name for collectors; none before something was read of it
    pub(crate) generation: Arc<str>,
    pub(crate) treatment: Arc<Treatment>,
}

/// How the last line of a span ends. Only a span of a single line is `Cut` or `Unfinished`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Each line has its newline.
    Whole,
    /// The line is too long, and its end is left out.
    Cut,
    /// The line has no newline and will get none.
    Unfinished,
}

/// A contiguous range of lines of one content; cheap to clone
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) source: Arc<Source>,
    pub(crate) mark: Mark,
    /// When it was read, in nanoseconds since 1970
    pub(crate) time: i64,
    /// Of its first byte
    pub(crate) offset: u64,
    /// Of the first byte that was read with it, which parts of a span keep
    pub(crate) read_from: u64,
    /// The number of the file in the set of files
    pub(crate) key: u64,
    buffer: Arc<Buffer>,
    range: Range<usize>,
    /// Newlines in the range. They are counted once, because that costs as much as a tenth of a read.
    newlines: usize,
    /// Which of its records are still to be sent, counted from its beginning; `None` means all
    selection: Option<Arc<[usize]>>,
    /// Other records of the same range come after it: only with those is the range settled.
    pub(crate) goes_on: bool,
    /// Nothing may be appended: its last record was taken for complete because no more lines came.
    pub(crate) is_sealed: bool,
    /// The lines at its end that are the first ones of the next files, a span of each: the end of its last records
    rest: Option<Arc<[Self]>>,
    /// Shared by its clones: an output may visit one of those.
    tally: Arc<OnceLock<Tally>>,
    /// How often another treatment has changed its records since they were read
    pub(crate) retreated: u32,
}

impl Span {
    pub(crate) fn new(
        (source, key): (Arc<Source>, u64),
        mark: Mark,
        offset: u64,
        buffer: Buffer,
        range: Range<usize>,
    ) -> Self {
        let (time, buffer) = (timestamp::now(), Arc::new(buffer));
        let newlines = newlines(&buffer[range.clone()]);
        Self {
            source,
            mark,
            time,
            offset,
            read_from: offset,
            key,
            buffer,
            range,
            newlines,
            selection: None,
            goes_on: false,
            is_sealed: mark != Mark::Whole,
            rest: None,
            tally: Arc::default(),
            retreated: 0,
        }
    }

    /// All of it, whether it is still to be sent or not
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }

    /// Bytes of memory that it keeps
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.buffer.capacity()
    }

    /// Newlines of all of it
    pub(crate) fn newlines(&self) -> usize {
        self.newlines
    }

    /// Those of the file in which it begins
    pub(crate) fn own_bytes(&self) -> &[u8] {
        let rest: usize = self.rest.iter().flat_map(|rest| rest.iter()).map(|rest| rest.range.len()).sum();
        &self.buffer[self.range.start..self.range.end - rest]
    }

    /// Itself, with the place of its own bytes, and the lines at its end that are of the next files
    pub(crate) fn by_file(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    pub(crate) fn length(&self) -> u64 {
        self.range.len() as u64
    }

    /// Of the file in which it begins
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.own_bytes().len() as u64
    }

    /// A name that these records have at each attempt, and no others. Receivers drop a request whose
    /// name they know.
    pub(crate) fn name(&self) -> String {
        // The name has a hash of the end of the bytes, because without a checkpoint new lines of a
        // truncated file that begins as it did could have the name of old ones.
        let (end, hash) = (self.end(), hash_of_end(self.bytes()));
        let reading = if self.retreated > 0 { format!("-r{}", self.retreated) } else { String::new() };
        let name = format!("{}-{}-{end}-{hash:016x}{reading}", self.source.generation, self.offset);
        let Some(selection) = &self.selection else { return name };
        // Two halves whose lines alternate have the same bytes.
        let mut hasher = FnvHasher::default();
        selection.iter().for_each(|number| hasher.write_usize(*number));
        format!("{name}-{:016x}", hasher.finish())
    }

    /// The records that are still to be sent
    pub(crate) fn amount(&self) -> Amount {
        match &self.selection {
            None => Amount::counted(self.bytes(), self.newlines),
            Some(_) => self.extents().map(|extent| extent.amount).fold(Amount::default(), Amount::add),
        }
    }

    /// Defects that were found when its records were last visited
    pub(crate) fn tally(&self) -> Tally {
        self.tally.get().copied().unwrap_or_default()
    }

    /// Visits the records that are still to be sent.
    pub(crate) fn records(&self, mut visit: impl FnMut(&Record<'_>)) {
        let tally = self.read(&self.source.treatment.redaction, |extent, reading| {
            visit(&self.record(extent, reading));
        });
        // A second visit finds the same.
        let _ = self.tally.set(tally);
    }

    fn record<'a>(&self, extent: &Extent, reading: Reading<'a>) -> Record<'a> {
        let Reading { line: _, text, time, message, fields, .. } = reading;
        let offset = self.offset + extent.range.start as u64;
        Record { offset, time: time.unwrap_or(self.time), text, message, fields }
    }

    /// Reads the records that are still to be sent, and hands them on with their places.
    fn read(&self, redaction: &Redaction, mut visit: impl FnMut(&Extent, Reading<'_>)) -> Tally {
        let (bytes, format) = (self.bytes(), self.format());
        // Once for all records: that costs little where they are what they should be.
        let whole = format.as_text(bytes);
        let mut tally = Tally::default();
        let each = |extent: Extent| {
            let Extent { range, amount, .. } = &extent;
            let joined = if amount.lines > 1 { format.join(&bytes[range.clone()]) } else { None };
            let (text, invalid) = match (&joined, whole) {
                (Some(joined), _) => format.decode(joined),
                (None, Some(whole)) => (whole[range.clone()].into(), 0),
                (None, None) => format.decode(&bytes[range.clone()]),
            };
            tally.invalid_bytes += invalid;
            self.source.treatment.read(&format.without_ends(&text), redaction, |reading| {
                tally.unparsed += u64::from(!reading.is_parsed);
                tally.redacted += u64::from(reading.is_redacted);
                visit(&extent, reading);
            });
        };
        match self.selection {
            None => self.all_extents().for_each(each),
            Some(_) => self.extents().for_each(each),
        }
        tally
    }

    /// How many records are still to be sent
    pub(crate) fn count(&self) -> usize {
        self.selection.as_ref().map_or_else(|| self.all_extents().count(), |selection| selection.len())
    }

    fn format(&self) -> &Format {
        &self.source.treatment.format
    }

    /// Where the records are that are still to be sent
    fn extents(&self) -> impl Iterator<Item = Extent> {
        let mut selected = self.selection.as_deref().map(<[usize]>::iter).map(Iterator::peekable);
        self.all_extents().enumerate().filter_map(move |(number, extent)| {
            selected.as_mut().is_none_or(|selected| selected.next_if_eq(&&number).is_some()).then_some(extent)
        })
    }

    /// Where all its records are
    fn all_extents(&self) -> Split<'_> {
        match self.mark {
            Mark::Whole => self.format().split(self.bytes()),
            Mark::Cut | Mark::Unfinished => Split::single(self.bytes()),
        }
    }
}

/// For tests: a span of this text, from the beginning of a file
#[cfg(test)]
pub(crate) fn of(text: &[u8], mark: Mark) -> Span {
    let mut buffer = crate::records::pool::Pool::default().empty(text.len());
    buffer.extend_from_slice(text);
    let treatment = Arc::new(Treatment::default());
    let source = Source { path: Path::new("/logs/app.log").into(), generation: "0123456789abcdef".into(), treatment };
    Span::new((source.into(), 1), mark, 0, buffer, 0..text.len())
}

/// The same, with these attributes
#[cfg(test)]
pub(crate) fn with_attributes(span: Span, attributes: &[(&str, &str)]) -> Span {
    let owned = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let treatment = Treatment { attributes: owned, ..Treatment::default() };
    let (path, generation) = (span.source.path.clone(), span.source.generation.clone());
    Span { source: Source { path, generation, treatment: treatment.into() }.into(), ..span }
}

#[cfg(test)]
mod tests;
