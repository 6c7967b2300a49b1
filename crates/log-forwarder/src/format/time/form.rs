//! `--time-format`: the form in which records write their time.

use std::{str::FromStr, sync::Arc};

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

use super::{calendar::scaled, known, zone::Zone};

/// Names of forms, and how many digits they have behind the point of a second
const UNIX: [(&str, u32); 4] = [("unix", 0), ("unix_ms", 3), ("unix_us", 6), ("unix_ns", 9)];
const RFC_3339: &str = "rfc3339";

/// `--time-format`
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TimeForm {
    Rfc3339,
    /// A number since 1970, with this number of digits behind the point of a second
    Unix(u32),
    /// A pattern of strptime(3)
    Pattern(Arc<str>),
}

impl FromStr for TimeForm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == RFC_3339 {
            return Ok(Self::Rfc3339);
        }
        if let Some((_, digits)) = UNIX.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Unix(*digits));
        }
        if !text.contains('%') {
            return Err(unknown(text));
        }
        check(text)?;
        Ok(Self::Pattern(text.into()))
    }
}

fn unknown(text: &str) -> String {
    let names = UNIX.iter().map(|(name, _)| *name).chain([RFC_3339]);
    let near = lifecycle::nearest(text, names).map(|near| format!("did you mean {near}?"));
    let hint = near
        .unwrap_or_else(|| "write rfc3339, unix, unix_ms, unix_us, unix_ns, or one such as %d.%m.%Y %H:%M:%S".into());
    format!("this is the name of no form of a time; {hint}")
}

/// A pattern that cannot read a time, because it has a wrong letter or lacks the year, would fail
/// at each line.
fn check(pattern: &str) -> Result<(), String> {
    let wrong = |error: jiff::Error| {
        format!("this pattern reads no time, because {error}: write one such as %Y-%m-%d %H:%M:%S")
    };
    let sample = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    let written = strtime::format(pattern, &sample).map_err(wrong)?;
    let read = strtime::parse(pattern, written).map_err(wrong)?;
    read.to_timestamp().or_else(|_| TimeZone::UTC.to_timestamp(read.to_datetime()?)).map_err(wrong)?;
    Ok(())
}

impl TimeForm {
    /// Nanoseconds since 1970. Where the time has no zone, it is this one.
    pub(super) fn read(&self, text: &str, zone: &Zone) -> Option<i64> {
        let text = text.trim_ascii();
        match self {
            Self::Rfc3339 => known::date_time(text.as_bytes(), zone),
            Self::Unix(digits) => scaled(text, *digits),
            Self::Pattern(pattern) => by_pattern(pattern, text, zone),
        }
    }
}

fn by_pattern(pattern: &str, text: &str, zone: &Zone) -> Option<i64> {
    let read = strtime::parse(pattern, text).ok()?;
    let has_zone = read.timestamp().is_some() || read.offset().is_some();
    let time = if has_zone {
        read.to_timestamp().ok()?
    } else if read.iana_time_zone().is_some() {
        read.to_zoned_datetime().ok()?.timestamp()
    } else {
        let local = TimeZone::UTC.to_timestamp(read.to_datetime().ok()?).ok()?;
        let offset = zone.offset(local.as_second())?;
        local.checked_sub(jiff::SignedDuration::from_secs(offset)).ok()?
    };
    i64::try_from(time.as_nanosecond()).ok()
}
