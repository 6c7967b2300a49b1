//! The text of one series, as an example in notes.

use std::fmt::Write;

use crate::exposition::model::Label;

/// `name{label="value"}`
pub(crate) fn of(name: &str, labels: &[Label]) -> String {
    let mut text = name.to_owned();
    for (index, label) in labels.iter().enumerate() {
        text.push(if index == 0 { '{' } else { ',' });
        let value: String = label.value.chars().take(ENOUGH).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "{}={value:?}", label.name);
        if text.len() > ENOUGH {
            return text;
        }
    }
    if !labels.is_empty() {
        text.push('}');
    }
    text
}

/// `name{label,other}`, for a series before the rules of its source: they may drop a label whose value is a secret
pub(crate) fn without_values(name: &str, labels: &[Label]) -> String {
    let mut names: Vec<_> = labels.iter().map(|label| label.name).take(ENOUGH_LABELS).collect();
    if labels.len() > ENOUGH_LABELS {
        names.push("…");
    }
    if names.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", names.join(",")) }
}

/// Names of labels of which a series is known
const ENOUGH_LABELS: usize = 8;
/// The length at which the text ends; notes keep less
const ENOUGH: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_as_text() {
        let labels = [Label { name: "a", value: "1" }, Label { name: "b", value: "x\n\"" }];
        assert_eq!(of("up", &labels), r#"up{a="1",b="x\n\""}"#);
        assert_eq!(of("up", &[]), "up");
        assert_eq!(without_values("up", &labels), "up{a,b}");
        assert_eq!(without_values("up", &[]), "up");
        assert_eq!(without_values("up", &[labels[0]; 9]), "up{a,a,a,a,a,a,a,a,…}");
    }
}
