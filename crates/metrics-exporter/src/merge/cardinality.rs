//! The names with the most series, and the label with the most values in each.

use std::collections::HashSet;

use super::part::Part;
use crate::exposition::model::Series;

/// The most names that are kept
const MAX_NAMES: usize = 20;
/// The number of series from which on the labels of a name are counted. Smaller names need no explanation, and counting costs time
/// on each page.
const MANY: usize = 1000;
/// The most bytes of a name or a label that are kept
const MAX_TEXT: usize = 256;

/// The names with the most series, before caps
#[derive(Debug, Default)]
pub(crate) struct Cardinality {
    names: Vec<NameSize>,
}

/// A name and its series
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameSize {
    pub(crate) name: String,
    pub(crate) series: usize,
    /// The number of sources that have the name
    pub(crate) sources: usize,
    /// For a name with many series, the label with the most values among the first thousand series, and the number of these values
    pub(crate) widest: Option<(String, usize)>,
}

impl Cardinality {
    /// Counts all parts of one name.
    pub(super) fn add(&mut self, parts: &[Part]) {
        let series = parts.iter().map(|part| part.family.series.len()).sum();
        let is_full = self.names.len() == MAX_NAMES;
        let smallest = (0..self.names.len()).min_by_key(|at| self.names[*at].series);
        match smallest {
            Some(at) if is_full && self.names[at].series >= series => return,
            Some(at) if is_full => {
                // Not `swap_remove`, because of two names with equally many series the first one of the page must stay the first.
                self.names.remove(at);
            }
            _ => {}
        }
        if series == 0 {
            return;
        }
        let name = parts[0].family.name.chars().take(MAX_TEXT).collect();
        let sources = parts.iter().filter(|part| !part.family.series.is_empty()).count();
        let all = parts.iter().flat_map(|part| &part.family.series);
        let widest = if series >= MANY { widest(all.take(MANY)) } else { None };
        self.names.push(NameSize { name, series, sources, widest });
    }

    /// The names, the largest first.
    pub(crate) fn largest(&self) -> Vec<&NameSize> {
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.series));
        names
    }
}

/// The label with the most values; of several the first by name.
fn widest<'s, 'a: 's>(series: impl Iterator<Item = &'s Series<'a>>) -> Option<(String, usize)> {
    let mut values: HashSet<(&str, &str)> = HashSet::new();
    for series in series {
        values.extend(series.labels.iter().map(|label| (label.name, label.value)));
    }
    let mut names: Vec<_> = values.into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    let of_names = names.chunk_by(|one, other| one == other);
    let (name, count) = of_names.map(|same| (same[0], same.len())).rev().max_by_key(|(_, count)| *count)?;
    Some((name.chars().take(MAX_TEXT).collect(), count))
}

#[cfg(test)]
mod tests {
    use bumpalo::Bump;

    use super::*;
    use crate::merge::pages::{merge_once, page};

    #[test]
    fn the_largest_names_and_their_widest_labels() {
        let arena = Bump::new();
        let mut lines: Vec<_> =
            (0..1200).map(|nth| format!("large{{id=\"{nth}\",method=\"{}\"}} 1", nth % 3)).collect();
        lines.extend((0..30).flat_map(|nth| (0..=nth).map(move |at| format!("n{nth:02}{{x=\"{at}\"}} 1"))));
        let text = lines.join("\n");
        let two = page(&arena, "two", "n29{y=\"1\"} 1");
        let merged = merge_once(&arena, vec![page(&arena, "one", &text), two]);
        let largest = merged.report.cardinality.largest();
        let size = |name: &str, series, sources, widest: Option<(&str, usize)>| NameSize {
            name: name.to_owned(),
            series,
            sources,
            widest: widest.map(|(label, count)| (label.to_owned(), count)),
        };
        assert_eq!(*largest[0], size("large", 1200, 1, Some(("id", 1000))));
        assert_eq!(*largest[1], size("n29", 31, 2, None));
        assert_eq!(*largest[19], size("n11", 12, 1, None));
        assert_eq!(largest.len(), 20);
    }
}
