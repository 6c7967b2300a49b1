//! Findings about units in names, by the rules of `promtool check metrics`: base units, without abbreviations.

use crate::{
    exposition::model::Family,
    lint::{findings::Findings, naming::has_word},
};

/// Adds findings about units in the name.
pub(super) fn judge_units(family: &Family, findings: &mut Findings) {
    // promtool judges one unit of a name that has several: up to version 2.42 any of them, later the first.
    let mut units = family.name.split('_').filter_map(known_unit);
    if let Some((unit, base)) = units.find(|(unit, base)| unit != base) {
        findings.add(family.name, format!("the unit {unit}: measure in {base}"));
    }
    if family.name.split('_').any(|word| PERCENTAGES.contains(&word)) {
        findings.add(family.name, "a percentage: measure a ratio from 0 to 1");
    }
    if let Some(abbreviation) = ABBREVIATIONS.iter().find(|abbreviation| has_word(family.name, abbreviation)) {
        findings.add(
            family.name,
            format!("the abbreviated unit {abbreviation}: write a base unit in full, such as seconds"),
        );
    }
}

/// The word and its base unit; `None` if the word is no unit.
fn known_unit(word: &str) -> Option<(&str, &'static str)> {
    let base = |word: &str| BASES.iter().find(|(unit, _)| *unit == word).map(|(_, base)| *base);
    let without_prefix = || PREFIXES.iter().find_map(|prefix| base(word.strip_prefix(prefix)?));
    base(word).or_else(without_prefix).map(|base| (word, base))
}

const PERCENTAGES: [&str; 2] = ["percent", "percentage"];

/// Units and their base units, from promtool
const BASES: [(&str, &str); 24] = [
    ("amperes", "amperes"),
    ("bytes", "bytes"),
    ("celsius", "celsius"),
    ("grams", "grams"),
    ("joules", "joules"),
    ("kelvin", "kelvin"),
    ("meters", "meters"),
    ("metres", "metres"),
    ("seconds", "seconds"),
    ("volts", "volts"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("kelvins", "kelvin"),
    ("fahrenheit", "celsius"),
    ("rankine", "celsius"),
    ("inches", "meters"),
    ("yards", "meters"),
    ("miles", "meters"),
    ("bits", "bytes"),
    ("calories", "joules"),
    ("pounds", "grams"),
    ("ounces", "grams"),
];

const PREFIXES: [&str; 18] = [
    "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi", "giga", "gibi",
    "tera", "tebi", "peta", "pebi",
];

const ABBREVIATIONS: [&str; 14] = ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_lead_to_their_base() {
        for (word, expected) in [
            ("seconds", Some("seconds")),
            ("milliseconds", Some("seconds")),
            ("kilobytes", Some("bytes")),
            ("hours", Some("seconds")),
            ("decameters", Some("meters")),
            ("requests", None),
            ("milli", None),
            ("", None),
        ] {
            assert_eq!(known_unit(word).map(|(_, base)| base), expected, "{word}");
        }
    }
}
