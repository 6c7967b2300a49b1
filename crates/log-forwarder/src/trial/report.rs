//! The answer of `try`: an object for each record that would be sent, and a warning for each line
//! of another form.

use std::io::{self, BufWriter, Write};

use lifecycle::{End, Exit};
use memchr::memchr_iter;

use crate::{
    format::record::Record,
    outputs::encoding::{write_fields, write_text},
    records::{span::Span, timestamp::write_rfc3339},
};

/// Lines of another form that are shown; the summary counts all.
const SHOWN: u64 = 20;
/// Characters of such a line
const BEGINNING: usize = 80;

/// Prints records, and counts them
pub(super) struct Report<W: Write> {
    out: BufWriter<W>,
    records: u64,
    dropped: u64,
    redacted: u64,
    unparsed: u64,
}

impl<W: Write> Report<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out: BufWriter::new(out), records: 0, dropped: 0, redacted: 0, unparsed: 0 }
    }

    /// Prints the records of a span whose first line has this number.
    pub(super) fn add(&mut self, span: &Span, first_line: u64) -> io::Result<()> {
        let (bytes, mut objects) = (span.bytes(), Vec::new());
        let (mut line, mut counted) = (first_line, 0);
        span.examine(|found| {
            line += memchr_iter(b'\n', &bytes[counted..found.at]).count() as u64;
            counted = found.at;
            self.records += 1;
            self.redacted += u64::from(found.is_redacted);
            if !found.is_parsed {
                self.unparsed += 1;
                if self.unparsed <= SHOWN {
                    let begins: String = found.line.chars().take(BEGINNING).collect();
                    tracing::warn!(line, begins, "this line does not parse");
                }
            }
            if found.is_kept {
                write_object(&found.record, found.time, &mut objects);
            } else {
                self.dropped += 1;
            }
        });
        self.out.write_all(&objects)?;
        self.out.flush()
    }

    /// Sums up what the input of this name holds, and says how to end.
    pub(super) fn end(&self, name: &str) -> End {
        let Self { records, dropped, redacted, unparsed, .. } = *self;
        let noun = if records == 1 { "record" } else { "records" };
        let summary = format!("{records} {noun}, {dropped} dropped, {redacted} redacted, {unparsed} that do not parse");
        if records == 0 {
            return End { what: Some(name.to_owned()), last: Some("it holds no lines".into()), ..Exit::Data.into() };
        }
        if unparsed > 0 {
            return End { last: Some(summary), ..Exit::Data.into() };
        }
        // The log of a command shows notes of lifecycle, and warnings of all others.
        tracing::info!(target: "lifecycle", "{summary}");
        Exit::Done.into()
    }
}

/// A record without a time of its own gets that of the read, which is not printed.
fn write_object(record: &Record, time: Option<i64>, out: &mut Vec<u8>) {
    out.push(b'{');
    if let Some(time) = time {
        out.extend_from_slice(b"\"time\":\"");
        write_rfc3339(time, out);
        out.extend_from_slice(b"\",");
    }
    out.extend_from_slice(b"\"message\":");
    write_text(&record.message, out);
    if !record.fields.is_empty() {
        out.extend_from_slice(b",\"fields\":");
        write_fields(&record.fields, out);
    }
    out.extend_from_slice(b"}\n");
}
