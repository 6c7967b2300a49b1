//! The findings about a page: one line each, with the metric, the fault and the remedy.

use std::fmt::Write;

/// The most findings that are listed; the others are counted, because they mostly repeat one fault in many places
const MAX_FINDINGS: usize = 1000;

/// The findings of a page, in the order of its families
#[derive(Debug, Default)]
pub(crate) struct Findings {
    lines: Vec<String>,
    beyond: usize,
}

impl Findings {
    /// Adds a finding about a metric, unless it is there. The text names the fault and the remedy, and quotes no value of the page.
    pub(super) fn add(&mut self, metric: &str, text: impl AsRef<str>) {
        let line = format!("{metric}: {}", text.as_ref());
        // Findings about one metric stand together, so the search ends at the first other metric.
        if self.lines.iter().rev().take_while(|known| known.starts_with(metric)).any(|known| *known == line) {
            return;
        }
        if self.lines.len() < MAX_FINDINGS {
            self.lines.push(line);
        } else {
            self.beyond += 1;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.lines.len() + self.beyond
    }

    /// The findings, one line each.
    pub(super) fn into_text(self) -> String {
        let mut text = String::new();
        for line in self.lines {
            text.push_str(&line);
            text.push('\n');
        }
        if self.beyond > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "and {} more", self.beyond);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_listed_once() {
        let mut findings = Findings::default();
        for text in ["one", "two", "one"] {
            findings.add("x", text);
        }
        assert_eq!((findings.count(), findings.into_text()), (2, "x: one\nx: two\n".to_owned()));
    }

    #[test]
    fn many_findings_are_counted() {
        let mut findings = Findings::default();
        for index in 0..MAX_FINDINGS + 5 {
            findings.add(&format!("x{index}"), "wrong");
        }
        assert_eq!(findings.count(), MAX_FINDINGS + 5);
        assert!(findings.into_text().ends_with("x999: wrong\nand 5 more\n"));
    }
}
