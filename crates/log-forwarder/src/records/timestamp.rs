//! Times as nanoseconds since 1970, and as RFC 3339 writes them, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 86_400;
const PER_SECOND: u64 = 1_000_000_000;
const PER_MILLISECOND: u64 = 1_000_000;

/// Nanoseconds since 1970
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// `2026-11-24T09:58:45.123Z`, with nine digits where a millisecond does not say it; a time before
/// 1970 is 1970.
pub(crate) fn rfc3339(nanoseconds: i64) -> String {
    let mut text = Vec::new();
    write_rfc3339(nanoseconds, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes the same. It is done for each record, so that it has no use for `format!`.
pub(crate) fn write_rfc3339(nanoseconds: i64, out: &mut Vec<u8>) {
    let nanoseconds = nanoseconds.max(0).cast_unsigned();
    let (seconds, fraction) = (nanoseconds / PER_SECOND, nanoseconds % PER_SECOND);
    let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let (year, month, day) = date(days);
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    put(year, &mut text[..4]);
    put(month, &mut text[5..7]);
    put(day, &mut text[8..10]);
    put(second / 3600, &mut text[11..13]);
    put(second / 60 % 60, &mut text[14..16]);
    put(second % 60, &mut text[17..19]);
    if fraction.is_multiple_of(PER_MILLISECOND) {
        put(fraction / PER_MILLISECOND, &mut text[20..23]);
        text[23] = b'Z';
        out.extend_from_slice(&text[..24]);
    } else {
        put(fraction, &mut text[20..29]);
        out.extend_from_slice(&text);
    }
}

/// Writes a number into this place, with leading zeros.
fn put(mut number: u64, place: &mut [u8]) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The Gregorian date some days after 1970-01-01, by eras of 400 years that begin in March, so that
/// the leap day is the last of its year (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::time;

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_795_514_325, "2026-11-24T09:58:45.007Z"),
            (4_107_542_399, "2100-02-28T23:59:59.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            assert_eq!(rfc3339((seconds * 1000 + 7) * 1_000_000), text);
        }
        assert_eq!(rfc3339(1_000_000_001), "1970-01-01T00:00:01.000000001Z");
        assert_eq!(rfc3339(-1), "1970-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(time in 0..9_000_000_000_000_000_000_i64) {
            prop_assert_eq!(time::parse(&rfc3339(time)), Some(time));
        }
    }
}
