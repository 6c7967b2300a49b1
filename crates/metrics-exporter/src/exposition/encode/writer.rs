//! Writes the parts of a line that both text formats share.

use std::ops::Range;

use crate::exposition::model::Label;

/// Appends lines to a page
pub(super) struct Writer<'p> {
    page: &'p mut Vec<u8>,
}

/// The name of a sample: stem and suffix
pub(super) type Name<'n> = [&'n str; 2];

impl<'p> Writer<'p> {
    pub(super) fn new(page: &'p mut Vec<u8>) -> Self {
        Self { page }
    }

    /// Writes a line of metadata. `text` must need no escapes.
    pub(super) fn metadata(&mut self, keyword: &str, name: Name, text: &str) {
        self.all(&["# ", keyword, " ", name[0], name[1], " ", text, "\n"]);
    }

    /// Writes a line of help. Only OpenMetrics escapes quotes there.
    pub(super) fn help(&mut self, name: Name, help: &str, quotes: bool) {
        self.all(&["# HELP ", name[0], name[1], " "]);
        self.escaped(help, quotes);
        self.all(&["\n"]);
    }

    /// Writes `name{a="1",b="2"}` and a blank.
    pub(super) fn series(&mut self, name: Name, labels: &[Label]) {
        self.all(&name);
        if !labels.is_empty() {
            self.labels(labels);
        }
        self.page.push(b' ');
    }

    /// Writes `name{a="1",le="`, and returns its range in the page for [`repeat`](Self::repeat).
    pub(super) fn bounded_series(&mut self, name: Name, labels: &[Label], bound: &str) -> Range<usize> {
        let start = self.page.len();
        self.all(&name);
        self.page.push(b'{');
        for label in labels {
            self.label(label);
            self.page.push(b',');
        }
        self.all(&[bound, "=\""]);
        start..self.page.len()
    }

    /// Writes a range of the page again.
    pub(super) fn repeat(&mut self, range: Range<usize>) {
        self.page.extend_from_within(range);
    }

    /// Writes `{a="1",b="2"}`.
    pub(super) fn labels(&mut self, labels: &[Label]) {
        self.page.push(b'{');
        for (index, label) in labels.iter().enumerate() {
            if index > 0 {
                self.page.push(b',');
            }
            self.label(label);
        }
        self.page.push(b'}');
    }

    pub(super) fn all(&mut self, texts: &[&str]) {
        for text in texts {
            self.page.extend_from_slice(text.as_bytes());
        }
    }

    /// Lets a function append to the page.
    pub(super) fn with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.page);
    }

    fn label(&mut self, label: &Label) {
        self.all(&[label.name, "=\""]);
        self.escaped(label.value, true);
        self.page.push(b'"');
    }

    /// Writes text with escaped backslashes and newlines, and with escaped quotes if `quotes` is set.
    fn escaped(&mut self, text: &str, quotes: bool) {
        let bytes = text.as_bytes();
        let mut start = 0;
        for (index, byte) in bytes.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'\\' => br"\\",
                b'\n' => br"\n",
                b'"' if quotes => br#"\""#,
                _ => continue,
            };
            self.page.extend_from_slice(&bytes[start..index]);
            self.page.extend_from_slice(escape);
            start = index + 1;
        }
        self.page.extend_from_slice(&bytes[start..]);
    }
}
