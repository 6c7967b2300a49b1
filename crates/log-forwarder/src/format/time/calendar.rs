//! Dates and times of day as numbers, and numbers as times. Nothing here knows a zone.

use std::ops::Range;

pub(super) const NANOSECONDS: i64 = 1_000_000_000;

/// Seconds from 1970-01-01T00:00 to midnight of a Gregorian date
pub(super) fn midnight((year, month, day): (i64, i64, i64)) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=days_in_month).contains(&day).then(|| days(year, month, day) * 86_400)
}

/// Days from 1970-01-01 to a Gregorian date, by eras of 400 years that begin in March (Howard
/// Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Nanoseconds since 1970
pub(super) fn instant(seconds: i64, fraction: i64) -> Option<i64> {
    seconds.checked_mul(NANOSECONDS)?.checked_add(fraction)
}

/// The number of a month by its English abbreviation
pub(super) fn month(name: &[u8]) -> Option<i64> {
    const NAMES: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let name = <&[u8; 3]>::try_from(name).ok()?;
    let index = NAMES.iter().position(|month| *month == name)?;
    i64::try_from(index + 1).ok()
}

/// Seconds of `09:58:45`; a leap second is the next minute's first.
pub(super) fn time_of_day(bytes: &[u8]) -> Option<i64> {
    let is_separated = bytes.get(2) == Some(&b':') && bytes.get(5) == Some(&b':');
    is_separated.then(|| seconds(bytes, [0..2, 3..5, 6..8]))?
}

/// Seconds of a time of day whose hour, minute and second stand at these places
pub(super) fn seconds(bytes: &[u8], [hour, minute, second]: [Range<usize>; 3]) -> Option<i64> {
    let (hour, minute, second) = (digits(bytes, hour)?, digits(bytes, minute)?, digits(bytes, second)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// A fraction of a second in nanoseconds, behind a point or a comma, and the rest
pub(super) fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', rest)) = bytes.split_first() else { return Some((0, bytes)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, zone) = rest.split_at(length);
    (length > 0).then_some((nanoseconds(fraction)?, zone))
}

/// A number of seconds since 1970, or of tenths, hundredths, … with this number of digits behind
/// the point of a second
pub(super) fn scaled(text: &str, digits: u32) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let scale = 10_i64.pow(9 - digits);
    match (whole.parse::<i64>(), nanoseconds(part.as_bytes())) {
        (Ok(whole), Some(part)) if !text.starts_with('-') => {
            whole.checked_mul(scale)?.checked_add(part / (NANOSECONDS / scale))
        }
        _ => approximate(text.parse().ok()?, digits),
    }
}

/// With an exponent or before 1970; microseconds are what a floating-point number can tell.
fn approximate(number: f64, digits: u32) -> Option<i64> {
    let microseconds = (number * 1e6 / 10_f64.powi(digits.cast_signed())).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a number that is out of range is the largest, which is no time"
    )]
    microseconds.is_finite().then(|| (microseconds as i64).checked_mul(1000))?
}

/// Digits behind a decimal point; the tenth and all further are left out.
fn nanoseconds(digits: &[u8]) -> Option<i64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

pub(super) fn digits(bytes: &[u8], range: Range<usize>) -> Option<i64> {
    let bytes = bytes.get(range)?;
    bytes.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}
