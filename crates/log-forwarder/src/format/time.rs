//! Times as log lines write them: RFC 3339 and its relatives, the common log format, and numbers since 1970. Pure.

const NANOSECONDS: i64 = 1_000_000_000;
/// A smaller number of seconds (before March 1973) is a time since something else, such as the start of the app.
const LEAST_SECONDS: f64 = 1e8;
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Nanoseconds since 1970 of a time in any form that is known here. Where no zone is given it is UTC.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    match text.as_bytes() {
        [_, _, _, _, b'-' | b'/', ..] => date_time(text.as_bytes()),
        [_, _, b'/', ..] => common_log(text.as_bytes()),
        _ => number(text),
    }
}

/// `2026-11-24T09:58:45.123456789+01:00` (RFC 3339), and the variants of loggers: a space for the T, slashes for the hyphens, a
/// comma for the point, a zone without colon, before it a space, or none.
fn date_time(bytes: &[u8]) -> Option<i64> {
    let (year, month, day) = (digits(bytes, 0..4)?, digits(bytes, 5..7)?, digits(bytes, 8..10)?);
    let is_separated = bytes[7] == bytes[4] && matches!(bytes.get(10)?, b'T' | b't' | b' ' | b'_');
    if !is_separated {
        return None;
    }
    let seconds = time_of_day(bytes.get(11..19)?)?;
    let (fraction, zone) = fraction(&bytes[19..])?;
    instant((year, month, day), seconds - zone_offset(zone)?, fraction)
}

/// `24/Nov/2026:09:58:45 +0100`, which nginx calls `time_local`
pub(crate) fn common_log(bytes: &[u8]) -> Option<i64> {
    let name = bytes.get(3..6)?;
    let month = MONTHS.iter().position(|month| name == *month)?;
    let (day, year) = (digits(bytes, 0..2)?, digits(bytes, 7..11)?);
    if bytes[2] != b'/' || bytes[6] != b'/' || *bytes.get(11)? != b':' {
        return None;
    }
    let seconds = time_of_day(bytes.get(12..20)?)?;
    let month = i64::try_from(month + 1).ok()?;
    instant((year, month, day), seconds - zone_offset(&bytes[20..])?, 0)
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970: which, its size tells from 1973 on.
pub(crate) fn number(text: &str) -> Option<i64> {
    let size: f64 = text.parse().ok()?;
    let digits_after_seconds = match size {
        LEAST_SECONDS..1e11 => 0,
        1e11..1e14 => 3,
        1e14..1e17 => 6,
        1e17..9.2e18 => 9,
        _ => return None,
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let scale = 10_i64.pow(9 - digits_after_seconds);
    match (whole.parse::<i64>(), nanoseconds(part.as_bytes())) {
        (Ok(whole), Some(part)) => whole.checked_mul(scale)?.checked_add(part / (NANOSECONDS / scale)),
        // With an exponent; microseconds are what a floating point number can tell.
        #[expect(clippy::cast_possible_truncation, reason = "in range, as was seen above")]
        _ => ((size * 1e6 / 10_f64.powi(digits_after_seconds.cast_signed())).round() as i64).checked_mul(1000),
    }
}

/// A fraction of a second and the rest
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', rest)) = bytes.split_first() else { return Some((0, bytes)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, zone) = rest.split_at(length);
    (length > 0).then_some((nanoseconds(fraction)?, zone))
}

/// Digits behind a decimal point; the tenth and all further are left out.
fn nanoseconds(digits: &[u8]) -> Option<i64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

/// Seconds of `09:58:45`; a leap second is the next minute's first.
fn time_of_day(bytes: &[u8]) -> Option<i64> {
    let (hour, minute, second) = (digits(bytes, 0..2)?, digits(bytes, 3..5)?, digits(bytes, 6..8)?);
    let is_time = bytes[2] == b':' && bytes[5] == b':' && hour < 24 && minute < 60 && second <= 60;
    is_time.then_some(hour * 3600 + minute * 60 + second)
}

/// Seconds east of Greenwich of `Z`, `+01:00`, `+0100`, `+01`, or nothing
fn zone_offset(bytes: &[u8]) -> Option<i64> {
    let bytes = bytes.trim_ascii_start();
    let (sign, zone) = match bytes {
        [] | [b'Z' | b'z'] | b"UTC" | b"GMT" => return Some(0),
        [b'+', zone @ ..] => (1, zone),
        [b'-', zone @ ..] => (-1, zone),
        _ => return None,
    };
    let (hours, minutes) = match zone.len() {
        2 => (digits(zone, 0..2)?, 0),
        4 => (digits(zone, 0..2)?, digits(zone, 2..4)?),
        5 if zone[2] == b':' => (digits(zone, 0..2)?, digits(zone, 3..5)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn instant((year, month, day): (i64, i64, i64), seconds: i64, fraction: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + seconds;
    seconds.checked_mul(NANOSECONDS)?.checked_add(fraction)
}

/// Days from 1970-01-01 to a Gregorian date, by eras of 400 years that begin in March (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn digits(bytes: &[u8], range: std::ops::Range<usize>) -> Option<i64> {
    bytes
        .get(range)?
        .iter()
        .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_795_514_325;

    #[test]
    fn one_time_in_many_forms() {
        for text in [
            "2026-11-24T09:58:45Z",
            "2026-11-24t09:58:45z",
            "2026-11-24T10:58:45+01:00",
            "2026-11-24 04:28:45 -0530",
            "2026/11/24 09:58:45",
            "2026-11-24T09:58:45.000000000000Z",
            " 2026-11-24T09:58:45+00\r",
            "24/Nov/2026:10:58:45 +0100",
            "24/Nov/2026:09:58:45",
            "1795514325",
            "1795514325.0",
            "1795514325000",
            "1795514325000000",
            "1795514325000000000",
            "1.795514325e9",
            "1.795514325E+12",
        ] {
            assert_eq!(parse(text), Some(SECOND * NANOSECONDS), "{text}");
        }
    }

    #[test]
    fn fractions() {
        for (text, nanoseconds) in [
            ("2026-11-24T09:58:45.1Z", 100_000_000),
            ("2026-11-24 09:58:45,123", 123_000_000),
            ("2026-11-24T09:58:45.1234567891Z", 123_456_789),
            ("1795514325.123456789", 123_456_789),
            ("1795514325123.5", 123_500_000),
            ("1795514325123456789", 123_456_789),
            ("1795514325123456.789", 123_456_789),
        ] {
            assert_eq!(parse(text), Some(SECOND * NANOSECONDS + nanoseconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "12",
            "0.123",
            "-1795514325",
            "nan",
            "inf",
            "1e300",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-24",
            "2026-11-24T09:58Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T09:58:45.Z",
            "2026-11-24T09:58:45 MEZ",
            "2026-11/24T09:58:45Z",
            "24/nov/2026:09:58:45 +0100",
            "24/Nov/2026 09:58:45",
            "9999-11-24T09:58:45Z",
            "2026-1é-24T09:58:45Z",
            "24/Nov/2026:09:58:45 +1",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0..9_000_000_000_i64, nanoseconds in 0..NANOSECONDS) {
            let time = seconds * NANOSECONDS + nanoseconds;
            prop_assert_eq!(parse(&crate::records::timestamp::rfc3339(time)), Some(time));
        }

        #[test]
        fn nothing_panics(text in "[0-9TZ:./+eE -]{0,40}|\\PC{0,30}") {
            let _ = parse(&text);
        }
    }
}
