//! The labels of one sample while rules change them. They include its name as `__name__`.

use crate::exposition::model::Label;

/// The labels of one sample
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelSet<'a> {
    /// The unchanged labels, sorted by name; then the labels that rules have set, in the order in which each was first set.
    /// `labelmap` walks them in this order, and the last one wins.
    labels: Vec<Label<'a>>,
    untouched: usize,
    is_changed: bool,
}

impl<'a> LabelSet<'a> {
    /// Replaces the labels by those of another sample. A later label replaces an earlier one of its name.
    pub(in crate::merge) fn reset(&mut self, labels: impl IntoIterator<Item = Label<'a>>) {
        self.labels.clear();
        self.labels.extend(labels);
        self.labels.sort_by(|one, other| one.name.cmp(other.name));
        self.untouched = self.labels.len();
        self.is_changed = false;
    }

    /// The value of a label; empty if there is none.
    pub(in crate::merge) fn get(&self, name: &str) -> &'a str {
        self.labels.iter().find(|label| label.name == name).map_or("", |label| label.value)
    }

    /// Sets a label; an empty value removes it.
    pub(super) fn set(&mut self, name: &'a str, value: &'a str) {
        let at = self.labels.iter().position(|label| label.name == name);
        if at.map_or("", |at| self.labels[at].value) == value && at.is_none_or(|at| at >= self.untouched) {
            return;
        }
        self.is_changed = true;
        match at {
            Some(at) if at >= self.untouched && !value.is_empty() => {
                self.labels[at].value = value;
                return;
            }
            Some(at) => self.remove(at),
            None => {}
        }
        if !value.is_empty() {
            self.labels.push(Label { name, value });
        }
    }

    pub(in crate::merge) fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        for at in (0..self.labels.len()).rev() {
            if !keeps(self.labels[at].name) {
                self.is_changed = true;
                self.remove(at);
            }
        }
    }

    /// The labels as they are now, for a rule that changes them
    pub(super) fn snapshot(&self) -> Vec<Label<'a>> {
        self.labels.clone()
    }

    /// True when a rule changed a label.
    pub(in crate::merge) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The labels, sorted by name.
    pub(in crate::merge) fn sorted(&mut self) -> &[Label<'a>] {
        self.labels.sort_by(|one, other| one.name.cmp(other.name));
        &self.labels
    }

    fn remove(&mut self, at: usize) {
        self.labels.remove(at);
        if at < self.untouched {
            self.untouched -= 1;
        }
    }
}
