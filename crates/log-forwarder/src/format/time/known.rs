//! The forms that are known without a flag: RFC 3339 and its relatives, ISO 8601's basic form, RFC
//! 2822, the common log format, and numbers since 1970.

use super::{
    calendar::{digits, fraction, instant, midnight, month, scaled, seconds, time_of_day},
    zone::Zone,
};

/// A smaller number of seconds (before March 1973) is a time since something else, such as the
/// start of the app.
const LEAST_SECONDS: f64 = 1e8;

/// Nanoseconds since 1970 of a time in any form that is known here. Where no zone is given it is
/// UTC.
pub(crate) fn parse(text: &str) -> Option<i64> {
    parse_in(text, &Zone::default())
}

/// The same, with the zone of times that have none
pub(super) fn parse_in(text: &str, zone: &Zone) -> Option<i64> {
    let text = text.trim_ascii();
    let bytes = text.as_bytes();
    match bytes {
        [_, _, _, _, b'-' | b'/', ..] => date_time(bytes, zone),
        [_, _, b'/', ..] => common_log_in(bytes, zone),
        [_, _, _, _, _, _, _, _, b'T', ..] => basic(bytes, zone),
        [_, _, _, b',', ..] | [_, b' ', ..] | [_, _, b' ', ..] => message_date(text, zone),
        _ => number(text),
    }
}

/// `2026-11-24T09:58:45.123456789+01:00` (RFC 3339), and the variants of loggers: a space for the
/// T, slashes for the hyphens, a comma for the point, a zone without colon, with a name, before it
/// a space, or none.
pub(super) fn date_time(bytes: &[u8], zone: &Zone) -> Option<i64> {
    let (year, month, day) = (digits(bytes, 0..4)?, digits(bytes, 5..7)?, digits(bytes, 8..10)?);
    let is_separated = bytes[7] == bytes[4] && matches!(bytes.get(10)?, b'T' | b't' | b' ' | b'_');
    if !is_separated {
        return None;
    }
    let local = midnight((year, month, day))? + time_of_day(bytes.get(11..19)?)?;
    let (fraction, behind) = fraction(&bytes[19..])?;
    instant(local - zone.offset_as_written(behind, local)?, fraction)
}

/// `20261124T095845.123Z`, as ISO 8601 has it without separators
fn basic(bytes: &[u8], zone: &Zone) -> Option<i64> {
    let date = (digits(bytes, 0..4)?, digits(bytes, 4..6)?, digits(bytes, 6..8)?);
    let local = midnight(date)? + seconds(bytes, [9..11, 11..13, 13..15])?;
    let (fraction, behind) = fraction(&bytes[15..])?;
    instant(local - zone.offset_as_written(behind, local)?, fraction)
}

/// `24/Nov/2026:09:58:45 +0100`, which nginx calls `time_local`
pub(crate) fn common_log(bytes: &[u8]) -> Option<i64> {
    common_log_in(bytes, &Zone::default())
}

fn common_log_in(bytes: &[u8], zone: &Zone) -> Option<i64> {
    let month = month(bytes.get(3..6)?)?;
    let (day, year) = (digits(bytes, 0..2)?, digits(bytes, 7..11)?);
    if bytes[2] != b'/' || bytes[6] != b'/' || *bytes.get(11)? != b':' {
        return None;
    }
    let local = midnight((year, month, day))? + time_of_day(bytes.get(12..20)?)?;
    instant(local - zone.offset_as_written(&bytes[20..], local)?, 0)
}

/// `Tue, 24 Nov 2026 09:58:45 +0100` (RFC 2822, and HTTP); the day of the week and the seconds may
/// be missing.
fn message_date(text: &str, zone: &Zone) -> Option<i64> {
    let date = text.get(3..).and_then(|rest| rest.strip_prefix(',')).unwrap_or(text);
    let mut words = date.split_ascii_whitespace();
    let (day, name, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if day.len() > 2 || year.len() != 4 {
        return None;
    }
    let date = (digits(year.as_bytes(), 0..4)?, month(name.as_bytes())?, digits(day.as_bytes(), 0..day.len())?);
    let seconds = match time.len() {
        5 => time_of_day(format!("{time}:00").as_bytes())?,
        8 => time_of_day(time.as_bytes())?,
        _ => return None,
    };
    let local = midnight(date)? + seconds;
    let behind = words.next().unwrap_or_default();
    instant(local - zone.offset_as_written(behind.as_bytes(), local)?, 0)
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970: which, its size tells from 1973
/// on.
pub(super) fn number(text: &str) -> Option<i64> {
    let digits_after_seconds = match text.parse::<f64>().ok()? {
        LEAST_SECONDS..1e11 => 0,
        1e11..1e14 => 3,
        1e14..1e17 => 6,
        1e17..9.2e18 => 9,
        _ => return None,
    };
    scaled(text, digits_after_seconds)
}
