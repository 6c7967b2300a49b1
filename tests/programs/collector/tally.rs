//! The lines that arrived: `seq=NAME:NUMBER` in a line identifies it, and each source numbers its lines upwards, with or without gaps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Above any number that a test counts to: a line with a higher number counts as one without.
const HIGHEST: usize = 50_000_000;
/// Sources and lines without a number that are kept; further ones are only counted
const KEPT: usize = 1000;

/// Counts lines by their numbers
#[derive(Default)]
pub(crate) struct Tally {
    lines: u64,
    sources: BTreeMap<String, Source>,
    others: Vec<String>,
}

#[derive(Default)]
struct Source {
    /// How often each number has come, up to 255
    times: Vec<u8>,
    lines: u64,
    distinct: u64,
    sum: u64,
    late: u64,
    last: String,
}

impl Tally {
    /// One line more
    pub(crate) fn count(&mut self, message: &str) {
        self.lines += 1;
        if let Some((name, number)) = numbered(message)
            && (self.sources.len() < KEPT || self.sources.contains_key(name))
        {
            self.sources.entry(name.to_owned()).or_default().count(number, message);
        } else if self.others.len() < KEPT {
            self.others.push(message.to_owned());
        }
    }

    /// All that is known, for whoever asks: of each source `lines` that came, how many `distinct` numbers and their `sum`, how many
    /// were `late`, which is for the first time after a higher one, and the `last` line of the highest number; and `others`
    pub(crate) fn report(&self) -> Value {
        let of = |source: &Source| {
            let Source { times, lines, distinct, sum, late, last } = source;
            json!({ "lines": lines, "distinct": distinct, "sum": sum, "late": late, "highest": times.len() - 1, "last": last })
        };
        let sources: BTreeMap<_, _> = self.sources.iter().map(|(name, source)| (name, of(source))).collect();
        json!({ "lines": self.lines, "sources": sources, "others": self.others })
    }
}

impl Source {
    fn count(&mut self, number: usize, message: &str) {
        self.lines += 1;
        if number >= self.times.len() {
            self.times.resize(number + 1, 0);
            message.clone_into(&mut self.last);
        } else if self.times[number] == 0 {
            self.late += 1;
        }
        if self.times[number] == 0 {
            self.distinct += 1;
            self.sum += number as u64;
        }
        self.times[number] = self.times[number].saturating_add(1);
    }
}

fn numbered(message: &str) -> Option<(&str, usize)> {
    let (_, rest) = message.split_once("seq=")?;
    let (name, rest) = rest.split_once(':')?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let number = rest[..end].parse().ok().filter(|number| *number <= HIGHEST)?;
    Some((name, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_duplicates_late_lines_and_lines_without_a_number_are_told_apart() {
        let mut tally = Tally::default();
        for number in [3, 4, 9, 4, 5] {
            tally.count(&format!("GET /?seq=web:{number} HTTP/1.1"));
        }
        tally.count("seq=app:0");
        tally.count("seq=app:none");
        let report = tally.report();
        let web = json!({ "lines": 5, "distinct": 4, "sum": 21, "late": 1, "highest": 9, "last": "GET /?seq=web:9 HTTP/1.1" });
        assert_eq!((&report["lines"], &report["sources"]["web"]), (&json!(7), &web));
        assert_eq!(report["sources"]["app"]["distinct"], 1);
        assert_eq!(report["others"], json!(["seq=app:none"]));
    }
}
