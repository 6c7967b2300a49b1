//! Time zones: by their names in IANA's database, which is part of the binary, and as times write
//! them.

use std::str::FromStr;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::calendar::digits;

/// Abbreviations that mean one zone to most people, and their hours east of Greenwich: those of RFC
/// 2822, and others. The rest (`IST`, `BST`, …) have a meaning where `--time-zone` names a zone
/// that uses them.
const ABBREVIATIONS: [(&[u8], i64); 34] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"Z", 0),
    (b"z", 0),
    (b"UT", 0),
    (b"WET", 0),
    (b"WEST", 1),
    (b"CET", 1),
    (b"CEST", 2),
    (b"EET", 2),
    (b"EEST", 3),
    (b"MSK", 3),
    (b"EST", -5),
    (b"EDT", -4),
    (b"CST", -6),
    (b"CDT", -5),
    (b"MST", -7),
    (b"MDT", -6),
    (b"PST", -8),
    (b"PDT", -7),
    (b"AKST", -9),
    (b"AKDT", -8),
    (b"HST", -10),
    (b"SAST", 2),
    (b"PKT", 5),
    (b"WIB", 7),
    (b"HKT", 8),
    (b"SGT", 8),
    (b"JST", 9),
    (b"KST", 9),
    (b"AEST", 10),
    (b"AEDT", 11),
    (b"NZST", 12),
    (b"NZDT", 13),
];

/// `--time-zone`: the zone of times that name none
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Seconds east of Greenwich
    Fixed(i64),
    Named(TimeZone),
}

impl Default for Zone {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(offset) = numeric(text.as_bytes()) {
            return Ok(Self::Fixed(offset));
        }
        TimeZone::get(text).map(Self::Named).map_err(|_| unknown(text))
    }
}

fn unknown(text: &str) -> String {
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    let near = lifecycle::nearest(text, names.iter().map(String::as_str)).map(|near| format!("did you mean {near}?"));
    let hint = near.unwrap_or_else(|| "write one of IANA's, such as Europe/Berlin, or an offset such as +01:00".into());
    format!("this is the name of no time zone; {hint}")
}

impl Zone {
    /// Seconds east of Greenwich at this local time, in seconds since 1970-01-01T00:00 there. Of an
    /// hour that comes twice, in autumn, it is the first.
    pub(super) fn offset(&self, local: i64) -> Option<i64> {
        match self {
            Self::Fixed(offset) => Some(*offset),
            Self::Named(zone) => Some(local - zone.to_timestamp(date_time(local)?).ok()?.as_second()),
        }
    }

    /// Seconds east of Greenwich by the text behind a local time: `Z`, `+01:00`, `+0100`, `+01`,
    /// `CET`, or nothing for this zone. Java writes the zone's name in brackets behind its offset.
    pub(super) fn offset_as_written(&self, text: &[u8], local: i64) -> Option<i64> {
        let text = text.trim_ascii_start();
        match text {
            [] => self.offset(local),
            [b'Z' | b'z'] => Some(0),
            [b'+' | b'-', ..] => {
                let bracket = text.last().filter(|last| **last == b']').and_then(|_| memchr::memchr(b'[', text));
                numeric(&text[..bracket.unwrap_or(text.len())])
            }
            name => self.abbreviated(name, local).or_else(|| {
                let (_, hours) = ABBREVIATIONS.iter().find(|(abbreviation, _)| *abbreviation == name)?;
                Some(hours * 3600)
            }),
        }
    }

    /// The offset that this zone's own abbreviation means, which also tells the two hours in autumn
    /// apart
    fn abbreviated(&self, name: &[u8], local: i64) -> Option<i64> {
        let Self::Named(zone) = self else { return None };
        let times = zone.to_ambiguous_timestamp(date_time(local)?);
        [times.earlier(), times.later()].into_iter().flatten().find_map(|time| {
            let is_meant = zone.to_offset_info(time).abbreviation().as_bytes() == name;
            is_meant.then(|| local - time.as_second())
        })
    }
}

fn date_time(local: i64) -> Option<DateTime> {
    Some(TimeZone::UTC.to_datetime(Timestamp::from_second(local).ok()?))
}

/// Seconds east of Greenwich of `+01:00`, `+0100` or `+01`
fn numeric(text: &[u8]) -> Option<i64> {
    let (sign, zone) = match text {
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
