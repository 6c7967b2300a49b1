//! The lines of a span for `#as=raw` and for dead letters.

use std::borrow::Cow;

use super::{Mark, Span};
use crate::format::Extent;

impl Span {
    /// Its lines that are still to be sent, without secrets. Where all lines are sent as they are,
    /// these are the bytes that were read.
    pub(crate) fn lines(&self) -> Cow<'_, [u8]> {
        if self.is_sent_as_it_is() {
            return self.bytes().into();
        }
        let mut lines = Vec::with_capacity(self.bytes().len());
        self.write_lines(&mut lines);
        lines.into()
    }

    /// Its bytes, if all of them are sent as they are and each line has its newline
    pub(crate) fn whole_lines(&self) -> Option<&[u8]> {
        (self.mark == Mark::Whole && self.is_sent_as_it_is()).then(|| self.bytes())
    }

    /// Writes its lines that are still to be sent. A last line gets the newline that it lacks.
    pub(crate) fn write_raw(&self, out: &mut Vec<u8>) {
        if self.is_sent_as_it_is() {
            out.extend_from_slice(self.bytes());
        } else {
            self.write_lines(out);
        }
        if self.mark != Mark::Whole {
            out.push(b'\n');
        }
    }

    /// Whether anything is hidden in its lines. Where others stand between them, that is not known,
    /// and taken for true.
    pub(crate) fn hides_secrets(&self) -> bool {
        !self.source.treatment.redaction.is_empty() && *self.lines() != *self.bytes()
    }

    fn is_sent_as_it_is(&self) -> bool {
        self.selection.is_none() && self.source.treatment.redaction.is_empty()
    }

    fn write_lines(&self, out: &mut Vec<u8>) {
        let (format, bytes) = (self.format(), self.bytes());
        let redaction = &self.source.treatment.redaction;
        let tally = self.read(redaction, |Extent { range, amount, .. }, reading| {
            let record = &bytes[range.clone()];
            if amount.lines > 1 && format.is_wrapped() && !reading.is_redacted {
                // The line that was read has the words around the first part alone.
                let begin = out.len();
                format.write_own_lines(record, out);
                if self.source.treatment.has_secret_around_parts(&out[begin..]) {
                    out.truncate(begin);
                    out.extend_from_slice(redaction.with().as_bytes());
                    out.extend_from_slice(line_end(record));
                }
            } else if reading.is_redacted {
                out.extend_from_slice(&format.encode(reading.line, amount.lines));
                out.extend_from_slice(line_end(record));
            } else if amount.bytes < record.len() as u64 {
                format.write_own_lines(record, out);
            } else {
                out.extend_from_slice(record);
            }
        });
        let _ = self.tally.set(tally);
    }
}

fn line_end(record: &[u8]) -> &'static [u8] {
    match record {
        [.., b'\r', b'\n'] => b"\r\n",
        [.., b'\n'] => b"\n",
        _ => b"",
    }
}
