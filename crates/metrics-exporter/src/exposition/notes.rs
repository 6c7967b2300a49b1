//! The notes of a page while it is parsed or encoded: one for each family and reason, within bounds.

use crate::exposition::page::Note;

/// Collects notes about the series that are left out
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: Vec<Note>,
}

impl Notes {
    /// Counts one series of the family. The first one for this reason is the note's example.
    pub(crate) fn add(&mut self, family: &str, reason: &'static str, example: impl FnOnce() -> String) {
        self.add_many(family, reason, 1, example);
    }

    /// Counts several series of the family.
    pub(crate) fn add_many(
        &mut self,
        family: &str,
        reason: &'static str,
        series: usize,
        example: impl FnOnce() -> String,
    ) {
        // Faults come in runs, so the note is usually the last one.
        let mut known = self.notes.iter_mut().rev();
        if let Some(note) = known.find(|note| note.reason == reason && note.family == cut(family)) {
            note.series += series;
            return;
        }
        if self.notes.len() < MAX_NOTES {
            let example = cut(&example()).to_owned();
            self.notes.push(Note { family: cut(family).to_owned(), reason, example, series });
            return;
        }
        // Beyond the bound there is one note for each reason. Reasons are few, so the list stays bounded, and the sum of series
        // is right.
        let others = self.notes.iter_mut().skip(MAX_NOTES).find(|note| note.reason == reason);
        if let Some(note) = others {
            note.series += series;
        } else {
            let example = cut(&example()).to_owned();
            self.notes.push(Note { family: OTHERS.to_owned(), reason, example, series });
        }
    }

    /// All notes, in the order of their first series.
    pub(crate) fn into_vec(self) -> Vec<Note> {
        self.notes
    }
}

/// The most notes with a family's name; the search among them is linear
const MAX_NOTES: usize = 100;
/// The most bytes of a family's name and of an example
const MAX_TEXT: usize = 200;
/// The family of all notes beyond the bound. It is no valid name of a metric.
const OTHERS: &str = "(others)";

/// The beginning of the text, up to the bound.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_note_a_family_and_reason() {
        let mut notes = Notes::default();
        notes.add("a", "repeated series", || "a 1".to_owned());
        notes.add("b", "repeated series", || "b 1".to_owned());
        notes.add("a", "repeated series", || unreachable!("the first example stays"));
        let notes = notes.into_vec();
        let [a, b] = &notes[..] else { panic!("{notes:?}") };
        assert_eq!((a.example.as_str(), a.series, b.series), ("a 1", 2, 1));
    }

    #[test]
    fn beyond_the_bound_only_reasons_are_kept() {
        let mut notes = Notes::default();
        for family in 0..MAX_NOTES + 50 {
            notes.add(&format!("family_{family}"), "repeated series", || "é".repeat(MAX_TEXT));
        }
        let notes = notes.into_vec();
        assert_eq!(notes.len(), MAX_NOTES + 1);
        assert_eq!((notes[MAX_NOTES].family.as_str(), notes[MAX_NOTES].series), (OTHERS, 50));
        assert!(notes.iter().all(|note| note.example.len() <= MAX_TEXT));
    }
}
