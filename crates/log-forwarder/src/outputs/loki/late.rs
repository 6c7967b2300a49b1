//! The records that Loki does not store because of their times, as its answer names them. It stores
//! all other records of a push.
//!
//! The distributor judges each entry by the clock, drops those that are wrong and groups its
//! errors. The ingester judges the others by the newest entry of their stream, names the first ten
//! and says how many it refuses; its answer hides the distributor's. Both answers are text of a
//! server, so they count only when they account for every record; otherwise the batch is halved.

use std::collections::BTreeMap;

use crate::format::time;

/// Nanoseconds
const SECOND: i64 = 1_000_000_000;

/// The records of a push that an answer refuses, by their numbers
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// The ingester refuses these, and has stored all others that came to it.
    Behind {
        numbers: Vec<usize>,
        /// Whether all records of the push came to it
        are_all: bool,
        /// Whether it is certain that no other ingester got a part of the push
        is_only: bool,
    },
    /// The distributor dropped these, and the ingester has stored all others.
    OutOfRange(Vec<usize>),
}

impl Late {
    /// Reads an answer, if it accounts for each record. `stamps` are the times of the push.
    pub(crate) fn read(answer: &str, stamps: &[i64]) -> Option<Self> {
        behind(answer, stamps).or_else(|| out_of_range(answer, stamps).map(Self::OutOfRange))
    }
}

/// Whether only the distributor refuses records. The ingester's answer would hide this one, so it
/// has stored all others.
pub(crate) fn is_of_distributor(answer: &str) -> bool {
    let has_any = |words: &[&str]| words.iter().any(|words| answer.contains(words));
    has_any(&["has timestamp too ", "max entry size", "structured metadata"])
        && !has_any(&["too far behind", "out of order", "total ignored"])
}

/// The ingester's answer: entries that are too far behind the newest one of their stream.
fn behind(answer: &str, stamps: &[i64]) -> Option<Late> {
    let (_, counts) = answer.rsplit_once("total ignored: ")?;
    let (ignored, rest) = counts.split_once(" out of ")?;
    let pushed: usize = rest.split_ascii_whitespace().next()?.parse().ok()?;
    let (mut numbers, mut from, mut oldest) = (Vec::new(), 0, None);
    let named = answer.lines().filter_map(|line| line.strip_prefix("entry with timestamp "));
    for (stamp, reason) in named.filter_map(|entry| entry.split_once(" ignored, reason: ")) {
        let stamp = go_time(stamp)?;
        let number = from + stamps.get(from..)?.iter().position(|other| *other == stamp)?;
        numbers.push(number);
        from = number + 1;
        oldest = reason.rsplit_once("oldest acceptable timestamp is: ").and_then(|(_, bound)| rfc3339(bound));
        // A limit of the rate is another reason, and then no time helps.
        oldest.or_else(|| reason.contains("out of order").then_some(i64::MIN))?;
    }
    if numbers.is_empty() {
        return None;
    }
    let unnamed = ignored.parse::<usize>().ok()?.checked_sub(numbers.len())?;
    if unnamed > 0 {
        // Then the records between those that are named may be of those that the distributor
        // dropped.
        numbers.extend(older(stamps, from, unnamed, oldest?)?);
        numbers.sort_unstable();
    }
    // A label of this kind says that the distributor divided the stream.
    let is_only = rest.contains("for stream: {") && !rest.contains("_shard__");
    Some(Late::Behind { numbers, are_all: pushed == stamps.len(), is_only })
}

/// This number of records from `from` on that are older than a bound, which is rounded down to a
/// second
fn older(stamps: &[i64], from: usize, count: usize, bound: i64) -> Option<Vec<usize>> {
    let mut numbers: Vec<usize> = (from..stamps.len()).collect();
    numbers.sort_by_key(|number| stamps[*number]);
    let (older, newer) = numbers.split_at_checked(count)?;
    let is_older = older.last().is_some_and(|number| stamps[*number] < bound + SECOND);
    let is_newer = newer.first().is_none_or(|number| stamps[*number] >= bound);
    (is_older && is_newer).then(|| older.to_vec())
}

/// The distributor's answer: entries that are too old or too new, grouped by the seconds of their
/// times. One error alone is not counted, and it may be the last one of several: versions before
/// the groups returned only that.
fn out_of_range(answer: &str, stamps: &[i64]) -> Option<Vec<usize>> {
    let mut seconds = BTreeMap::<i64, usize>::new();
    for group in answer.trim_ascii_end().split("; ") {
        let (count, error) = group.split_once(" errors like: ")?;
        let (_, time) = error.rsplit_once("' has timestamp too ")?;
        let time = time.strip_prefix("old: ").or_else(|| time.strip_prefix("new: "))?;
        let second = rfc3339(time)?.div_euclid(SECOND);
        *seconds.entry(second).or_default() += count.parse::<usize>().ok()?;
    }
    let is_refused = |stamp: &i64| seconds.contains_key(&stamp.div_euclid(SECOND));
    let numbers: Vec<usize> = (0..stamps.len()).filter(|number| is_refused(&stamps[*number])).collect();
    (numbers.len() == seconds.values().sum::<usize>()).then_some(numbers)
}

/// `2026-11-27T16:34:42Z`, and what stands behind it
fn rfc3339(text: &str) -> Option<i64> {
    time::parse(text.split([',', '\'', ' ']).next()?)
}

/// `2026-11-27 16:34:42.64344171 +0000 UTC`, as Go prints times
fn go_time(text: &str) -> Option<i64> {
    let (time, _) = text.rsplit_once(' ')?;
    time::parse(time)
}

/// Reads any answer to a push with these times, and panics when it names a record that is not
/// there, or one twice.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_sound(answer: &str, stamps: &[i64]) {
    let Some(Late::Behind { numbers, .. } | Late::OutOfRange(numbers)) = Late::read(answer, stamps) else { return };
    assert!(numbers.iter().all(|number| *number < stamps.len()));
    assert!(numbers.is_sorted_by(|one, other| one < other));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-27T19:34:42.643441587Z
    const NOW: i64 = 1_795_808_082_643_441_587;
    const HOUR: i64 = 3600 * SECOND;

    fn behind_line(seconds: i64) -> String {
        format!(
            "entry with timestamp 2026-11-27 16:34:{seconds:02}.64344171 +0000 UTC ignored, reason: 'entry too far behind, entry \
             timestamp is: 2026-11-27T16:34:{seconds:02}Z, oldest acceptable timestamp is: 2026-11-27T18:34:42Z',\n"
        )
    }

    /// As Loki 3 writes it
    fn ignored(lines: &str, count: usize, all: usize) -> String {
        format!("{lines}user 'fake', total ignored: {count} out of {all} for stream: {{job=\"a\"}}\n")
    }

    fn out_of_range(errors: &[(usize, &str)]) -> String {
        let stream = "entry for stream '{job=\"b\"}' has timestamp";
        let errors = errors.iter().map(|(count, rest)| format!("{count} errors like: {stream} {rest}"));
        errors.collect::<Vec<_>>().join("; ") + "\n"
    }

    fn behind_all(numbers: &[usize]) -> Late {
        Late::Behind { numbers: numbers.to_vec(), are_all: true, is_only: true }
    }

    #[test]
    fn the_ingester_names_records_by_their_times() {
        let late = NOW - 3 * HOUR + 123;
        let stamps = [NOW, late, NOW + 1];
        let line = behind_line(42);
        assert_eq!(Late::read(&ignored(&line, 1, 3), &stamps), Some(behind_all(&[1])));
        let dropped = Some(Late::Behind { numbers: vec![1], are_all: false, is_only: true });
        assert_eq!(Late::read(&ignored(&line, 1, 2), &stamps), dropped);
        let divided = ignored(&line, 1, 2).replace("job=", "__stream_shard__=\"1\", job=");
        let one_part = Some(Late::Behind { numbers: vec![1], are_all: false, is_only: false });
        assert_eq!(Late::read(&divided, &stamps), one_part);
        // There is one more that it does not name, or none of these times.
        assert_eq!(Late::read(&ignored(&line, 2, 3), &stamps), None);
        assert_eq!(Late::read(&ignored(&line, 1, 3), &[NOW, NOW, NOW]), None);
        let rate = "entry with timestamp 2026-11-27 16:34:42.64344171 +0000 UTC ignored, reason: 'Per stream rate limit exceeded',\n";
        assert_eq!(Late::read(&ignored(rate, 1, 3), &stamps), None);
    }

    #[test]
    fn the_ingester_counts_those_that_it_does_not_name() {
        let late = |second: i64| NOW - 3 * HOUR + 123 + second * SECOND;
        let stamps: Vec<i64> = [NOW].into_iter().chain((0..12).map(late)).chain([NOW + 1]).collect();
        let lines: String = (42..52).map(behind_line).collect();
        assert_eq!(Late::read(&ignored(&lines, 12, 14), &stamps), Some(behind_all(&(1..13).collect::<Vec<_>>())));
        // One more or less than there are below the bound
        assert_eq!(Late::read(&ignored(&lines, 13, 14), &stamps), None);
        assert_eq!(Late::read(&ignored(&lines, 11, 14), &stamps), None);
    }

    #[test]
    fn the_distributor_groups_records_by_second() {
        let old = NOW - 30 * 24 * HOUR;
        let too_old = "too old: 2026-10-28T19:34:42Z, oldest acceptable timestamp is: 2026-11-20T19:34:42Z";
        let too_new = "too new: 2026-11-27T21:34:42Z";
        let stamps = [old, NOW, old + 1, NOW + 2 * HOUR];
        let both = out_of_range(&[(2, too_old), (1, too_new)]);
        assert_eq!(Late::read(&both, &stamps), Some(Late::OutOfRange(vec![0, 2, 3])));
        // A third one of that second is stored, or is it not?
        assert_eq!(Late::read(&both, &[old, old + 1, old + 2, NOW + 2 * HOUR]), None);
        let alone = both.split("; ").next().unwrap().trim_start_matches("2 errors like: ");
        assert_eq!(Late::read(alone, &stamps[..2]), None);
        let long =
            both.trim_end().to_owned() + "; 1 errors like: max entry size '262144' bytes exceeded for stream '{}'\n";
        assert_eq!(Late::read(&long, &stamps), None);
        assert!(is_of_distributor(&long) && !is_of_distributor(&(long + &behind_line(42))));
        assert!(!is_of_distributor("<html>400 Bad Request</html>"));
    }

    proptest! {
        #[test]
        fn anything_may_come(words in proptest::collection::vec(
            "[0-9]{1,3}|; | errors like: |' has timestamp too old: |2026-11-27T19:34:42Z|entry with timestamp |\n| out of |total ignored: \
             |2026-11-27 16:34:42 \\+0000 UTC| ignored, reason: |oldest acceptable timestamp is: ", 0..20)) {
            assert_sound(&words.concat(), &[NOW, NOW + 1, NOW - 3 * HOUR]);
        }
    }
}
