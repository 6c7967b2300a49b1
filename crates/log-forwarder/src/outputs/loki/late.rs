//! The records that Loki does not store because of their times, as its answer names them. It stores all other records of a push.
//!
//! The distributor judges each entry by the clock, and groups its errors; the ingester judges each entry by the newest one of its stream,
//! names the first ten and says how many there are. Both answers are text of the server, and the second one hides the first one. So an
//! answer counts only when it accounts for every record of the push; otherwise the batch is halved.

use std::collections::BTreeMap;

use crate::format::time;

/// Nanoseconds
const SECOND: i64 = 1_000_000_000;

/// The numbers of the records that are not stored, if the answer accounts for each one. `stamps` are the times of the push.
pub(crate) fn refused(answer: &str, stamps: &[i64]) -> Option<Vec<usize>> {
    behind(answer, stamps).or_else(|| out_of_range(answer, stamps))
}

/// The ingester's answer: entries that are too far behind the newest one of their stream.
fn behind(answer: &str, stamps: &[i64]) -> Option<Vec<usize>> {
    let (_, counts) = answer.rsplit_once("total ignored: ")?;
    let (ignored, rest) = counts.split_once(" out of ")?;
    let pushed: usize = rest.split_ascii_whitespace().next()?.parse().ok()?;
    // The distributor dropped the others, or put them into another stream, and this answer does not say why.
    if pushed != stamps.len() {
        return None;
    }
    let (mut numbers, mut from, mut oldest) = (Vec::new(), 0, None);
    let named = answer.lines().filter_map(|line| line.strip_prefix("entry with timestamp "));
    for (stamp, reason) in named.filter_map(|entry| entry.split_once(" ignored, reason: ")) {
        let stamp = go_time(stamp)?;
        let number = from + stamps.get(from..)?.iter().position(|other| *other == stamp)?;
        numbers.push(number);
        from = number + 1;
        oldest = reason.rsplit_once("oldest acceptable timestamp is: ").and_then(|(_, bound)| rfc3339(bound));
    }
    let unnamed = ignored.parse::<usize>().ok()?.checked_sub(numbers.len())?;
    if unnamed > 0 {
        numbers.extend(older(stamps, from, unnamed, oldest?)?);
        numbers.sort_unstable();
    }
    Some(numbers)
}

/// This number of records from `from` on that are older than a bound, which is rounded down to a second
fn older(stamps: &[i64], from: usize, count: usize, bound: i64) -> Option<Vec<usize>> {
    let mut numbers: Vec<usize> = (from..stamps.len()).collect();
    numbers.sort_by_key(|number| stamps[*number]);
    let (older, newer) = numbers.split_at_checked(count)?;
    let is_older = older.last().is_some_and(|number| stamps[*number] < bound + SECOND);
    let is_newer = newer.first().is_none_or(|number| stamps[*number] >= bound);
    (is_older && is_newer).then(|| older.to_vec())
}

/// The distributor's answer: entries that are too old or too new, grouped by the seconds of their times. One error alone is not counted,
/// and it may be the last one of several: versions before the groups returned only that.
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

/// Reads any answer to a push with these times, and panics when it names a record that is not there, or one twice.
#[cfg(any(test, fuzzing))]
pub(crate) fn assert_sound(answer: &str, stamps: &[i64]) {
    let Some(numbers) = refused(answer, stamps) else { return };
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

    #[test]
    fn the_ingester_names_records_by_their_times() {
        let late = NOW - 3 * HOUR + 123;
        let stamps = [NOW, late, NOW + 1];
        let line = behind_line(42);
        assert_eq!(refused(&ignored(&line, 1, 3), &stamps), Some(vec![1]));
        // The distributor dropped one, or there is one more that it does not name.
        assert_eq!(refused(&ignored(&line, 1, 2), &stamps), None);
        assert_eq!(refused(&ignored(&line, 2, 3), &stamps), None);
        assert_eq!(refused(&ignored(&line, 1, 3), &[NOW, NOW, NOW]), None);
    }

    #[test]
    fn the_ingester_counts_those_that_it_does_not_name() {
        let late = |second: i64| NOW - 3 * HOUR + 123 + second * SECOND;
        let stamps: Vec<i64> = [NOW].into_iter().chain((0..12).map(late)).chain([NOW + 1]).collect();
        let lines: String = (42..52).map(behind_line).collect();
        assert_eq!(refused(&ignored(&lines, 12, 14), &stamps), Some((1..13).collect()));
        // One more than there are below the bound
        assert_eq!(refused(&ignored(&lines, 13, 14), &stamps), None);
        assert_eq!(refused(&ignored(&lines, 11, 14), &stamps), None);
    }

    #[test]
    fn the_distributor_groups_records_by_second() {
        let old = NOW - 30 * 24 * HOUR;
        let too_old = "too old: 2026-10-28T19:34:42Z, oldest acceptable timestamp is: 2026-11-20T19:34:42Z";
        let too_new = "too new: 2026-11-27T21:34:42Z";
        let stamps = [old, NOW, old + 1, NOW + 2 * HOUR];
        let both = out_of_range(&[(2, too_old), (1, too_new)]);
        assert_eq!(refused(&both, &stamps), Some(vec![0, 2, 3]));
        // A third one of that second is stored, or is it not?
        assert_eq!(refused(&both, &[old, old + 1, old + 2, NOW + 2 * HOUR]), None);
        let alone = both.split("; ").next().unwrap().trim_start_matches("2 errors like: ");
        assert_eq!(refused(alone, &stamps[..2]), None);
        let long =
            both.trim_end().to_owned() + "; 1 errors like: max entry size '262144' bytes exceeded for stream '{}'\n";
        assert_eq!(refused(&long, &stamps), None);
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
