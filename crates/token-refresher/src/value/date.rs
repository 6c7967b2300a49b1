//! Dates of RFC 3339, as APIs write them: `2026-11-24T09:58:45.123Z`, `2026-11-24 10:58:45+01:00`.

use std::time::{Duration, SystemTime};

const SECONDS_PER_DAY: u64 = 86_400;
/// From 1 March of the year 0
const DAYS_BEFORE_1970: u64 = 719_468;
/// Of 400 years
const DAYS_PER_ERA: u64 = 146_097;

/// The moment that a text names, from 1970 to 9999; `None` for any other text. A leap second is the second before it.
pub(crate) fn rfc3339(text: &str) -> Option<SystemTime> {
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    if !text[10..].starts_with(['T', 't', ' ']) {
        return None;
    }
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let offset_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, offset) = time.split_at(offset_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let nanoseconds = nanoseconds(fraction)?;
    if year < 1970 || !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second.min(59);
    let local = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    let utc = match offset.split_at(1) {
        ("Z" | "z", "") => local,
        (sign, offset) => {
            let [hours, minutes] = numbers(offset, ':', [2, 2])?;
            let ahead = Duration::from_secs(hours * 3600 + minutes * 60);
            match sign {
                _ if hours > 23 || minutes > 59 => return None,
                "+" => local.checked_sub(ahead)?,
                "-" => local.checked_add(ahead)?,
                _ => return None,
            }
        }
    };
    (utc >= SystemTime::UNIX_EPOCH).then_some(utc)
}

/// The text of a moment, in UTC and to the second: `2026-11-24T09:58:45Z`. Moments before 1970 are that of 1970.
pub(crate) fn text(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    // Years of an era of 400 begin in March, as in `days`.
    let shifted = days + DAYS_BEFORE_1970;
    let (era, day_of_era) = (shifted / DAYS_PER_ERA, shifted % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Numbers of so many digits each, with a separator between
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Of the digits behind the point; those after the ninth are left off
fn nanoseconds(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").get(..9)?.parse().ok()
}

fn days_of_month(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date: years that begin in March have their leap day at the end.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_BEFORE_1970
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        rfc3339(text).map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64())
    }

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("2000-02-29T00:00:00Z", Some(951_782_400.0)),
            ("2026-11-24T09:58:45.5Z", Some(1_795_514_325.5)),
            ("2026-11-24 10:58:45+01:00", Some(1_795_514_325.0)),
            ("2026-11-24t08:28:45.1234567891234-01:30", Some(1_795_514_325.123_456_7)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_799.0)),
            ("9999-12-31T23:59:59Z", Some(253_402_300_799.0)),
            ("2026-11-24T09:58:45", None),
            ("2026-11-24T09:58Z", None),
            ("2026-11-24", None),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00+24:00", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("1969-12-31T23:59:59Z", None),
            ("+026-01-01T00:00:00Z", None),
            ("2026-01-01T00:00:00ZZ", None),
            ("é026-01-01T00:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}", near in "[0-9TtZz:+. -]{0,40}") {
            let _ = (rfc3339(&text), rfc3339(&near));
        }

        /// `httpdate` writes the same moments by an algorithm of its own.
        #[test]
        fn each_second_is_the_one_that_others_write(second in 0..253_402_300_799_u64, offset in 0..24 * 60_u64) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            let http = httpdate::fmt_http_date(time);
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let month = months.iter().position(|name| *name == &http[8..11]).unwrap() + 1;
            let written = format!("{}-{month:02}-{}T{}", &http[12..16], &http[5..7], &http[17..25]);
            prop_assert_eq!(rfc3339(&format!("{written}Z")), Some(time));
            prop_assert_eq!(text(time), format!("{written}Z"));
            let west = format!("{written}-{:02}:{:02}", offset / 60, offset % 60);
            prop_assert_eq!(rfc3339(&west), Some(time + Duration::from_secs(offset * 60)));
        }
    }
}
