//! The header `grpc-timeout`: the time that a client gives a call.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Digits of a value
const MOST_DIGITS: usize = 8;
/// The largest value
const LARGEST: u128 = 99_999_999;
const NANOSECONDS_A_SECOND: u128 = 1_000_000_000;
/// Units and their nanoseconds, the finest first
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', NANOSECONDS_A_SECOND),
    (b'M', 60 * NANOSECONDS_A_SECOND),
    (b'H', 3_600 * NANOSECONDS_A_SECOND),
];

/// A value that is no time, or several values
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The time that a head gives; nothing if it gives none.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Duration>, Malformed> {
    let mut values = headers.get_all(TIMEOUT).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse(value.as_bytes()).map(Some).ok_or(Malformed),
        _ => Err(Malformed),
    }
}

/// The longest value that is not longer than this time. The unit is the finest that has room for it.
pub(crate) fn write(time: Duration) -> HeaderValue {
    let nanoseconds = time.as_nanos();
    let fitting = UNITS.iter().find(|(_, length)| nanoseconds / length <= LARGEST);
    let (unit, length) = fitting.unwrap_or(&UNITS[UNITS.len() - 1]);
    let value = format!("{}{}", (nanoseconds / length).min(LARGEST), char::from(*unit));
    HeaderValue::try_from(value).expect("digits and a letter are a value")
}

/// One to eight digits and a unit. A value of zero is a time that is over, and clients send it.
fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (_, length) = UNITS.iter().find(|(known, _)| known == unit)?;
    let number: u128 = str::from_utf8(digits).ok()?.parse().ok()?;
    let nanoseconds = number * length;
    let seconds = u64::try_from(nanoseconds / NANOSECONDS_A_SECOND).ok()?;
    let rest = u32::try_from(nanoseconds % NANOSECONDS_A_SECOND).ok()?;
    Some(Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_of_the_protocol() {
        let seconds = Duration::from_secs;
        for (value, time) in [
            ("1S", seconds(1)),
            ("100m", Duration::from_millis(100)),
            ("00000007u", Duration::from_micros(7)),
            ("99999999n", Duration::from_nanos(99_999_999)),
            ("2M", seconds(120)),
            ("99999999H", seconds(99_999_999 * 3_600)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(parse(value.as_bytes()), Some(time), "{value}");
        }
        for value in ["", "S", "1", "1s", "1h", "123456789m", "-1S", "+1S", " 1S", "1 S", "1S ", "1.5S", "1SS", "0x1S"]
        {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(parse("１S".as_bytes()), None);
    }

    #[test]
    fn one_header_or_none() {
        let headers = |values: &[&'static str]| {
            values.iter().map(|value| (TIMEOUT, HeaderValue::from_static(value))).collect::<HeaderMap>()
        };
        assert_eq!(of(&headers(&[])), Ok(None));
        assert_eq!(of(&headers(&["1S"])), Ok(Some(Duration::from_secs(1))));
        assert_eq!(of(&headers(&["x"])), Err(Malformed));
        let mut several = headers(&["1S"]);
        several.append(TIMEOUT, HeaderValue::from_static("1S"));
        assert_eq!(of(&several), Err(Malformed));
    }

    #[test]
    fn times_are_written_in_the_finest_unit_that_has_room() {
        for (time, value) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_millis(999), "999000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(write(time), value, "{time:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_a_written_time_is_never_longer(text in "\\PC{0,12}", nanoseconds: u128) {
            let _ = parse(text.as_bytes());
            let longest = Duration::from_secs(99_999_999 * 3_600);
            let seconds = u64::try_from(nanoseconds / NANOSECONDS_A_SECOND % 400_000_000_000).unwrap();
            let time = Duration::new(seconds, u32::try_from(nanoseconds % NANOSECONDS_A_SECOND).unwrap());
            let read = parse(write(time).as_bytes()).unwrap();
            prop_assert!(read <= time);
            // The finest unit keeps seven digits at least.
            prop_assert!(read + read / 1_000_000 + Duration::from_nanos(1) >= time.min(longest));
        }

        #[test]
        fn a_value_of_the_protocol_is_read_as_it_is(number in 0u32..=99_999_999, unit in 0usize..6) {
            let (letter, length) = UNITS[unit];
            let read = parse(format!("{number}{}", char::from(letter)).as_bytes()).unwrap();
            prop_assert_eq!(read.as_nanos(), u128::from(number) * length);
        }
    }
}
