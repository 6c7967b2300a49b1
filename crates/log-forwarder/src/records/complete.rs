//! How many bytes of some whole lines make a span: complete records, and not too many.

use memchr::{memchr_iter, memrchr};

use crate::format::{Extent, Format, amount::newlines};

/// Lines of a span, unless one record has more; lines of a batch of many files, about; and records
/// of a request to Elasticsearch or Loki. Outputs write much around each, and empty lines must not
/// make a body of a hundred megabytes.
pub(crate) const MOST_LINES: usize = 4096;

/// How many bytes of whole lines are complete records, of not too many lines. A record that is
/// joined of lines and is longer than one line may be goes in parts.
pub(crate) fn complete_records(format: &Format, lines: &[u8], longest: usize) -> usize {
    let mut most = MOST_LINES;
    loop {
        let end = first_lines(lines, most);
        match format.extent(&lines[..end]) {
            0 if end < lines.len() => most *= 4,
            extent if extent > longest && format.joins_lines() => {
                return before_too_long(format, &lines[..extent], longest);
            }
            extent => return extent,
        }
    }
}

/// How many bytes this number of lines has. Lines are counted before they are walked, because that is
/// several times as fast and there are seldom too many.
fn first_lines(lines: &[u8], most: usize) -> usize {
    if newlines(lines) < most {
        return lines.len();
    }
    memchr_iter(b'\n', lines).nth(most - 1).map_or(lines.len(), |newline| newline + 1)
}

/// How many bytes of complete records stand before the first that is too long, or are the first
/// part of that one.
fn before_too_long(format: &Format, records: &[u8], longest: usize) -> usize {
    let mut apart = 0;
    for Extent { range, amount, is_apart } in format.split(records) {
        apart = if is_apart { range.start } else { apart };
        if amount.lines > 1 && amount.bytes > longest as u64 {
            return if apart > 0 { apart } else { whole_lines(records, longest) };
        }
    }
    records.len()
}

/// How many of these bytes are whole lines that together are no longer than one line may be.
pub(crate) fn whole_lines(lines: &[u8], longest: usize) -> usize {
    let most = lines.len().min(longest + 1);
    memrchr(b'\n', &lines[..most]).map_or(lines.len(), |newline| newline + 1)
}
