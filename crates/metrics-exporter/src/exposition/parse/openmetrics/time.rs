//! The time of a sample.

use crate::exposition::parse::number;

/// Reads seconds since the epoch as milliseconds. Digits below a millisecond are cut off.
pub(super) fn milliseconds(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = !whole.is_empty() && [whole, fraction].iter().all(|part| part.bytes().all(|it| it.is_ascii_digit()));
    if !is_plain {
        return from_float(number::float(text)?);
    }
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = fraction.as_bytes().get(place).map_or(0, |digit| digit - b'0');
        thousandths = thousandths * 10 + i64::from(digit);
    }
    let milliseconds = whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(thousandths)?;
    Some(if is_negative { -milliseconds } else { milliseconds })
}

/// Converts a time with an exponent, or without digits before the point.
fn from_float(seconds: f64) -> Option<i64> {
    let milliseconds = (seconds * 1000.0).trunc();
    #[expect(clippy::cast_possible_truncation, reason = "within bounds that have no fraction")]
    (milliseconds.abs() < MAX_MILLISECONDS).then_some(milliseconds as i64)
}

/// 2^63
const MAX_MILLISECONDS: f64 = 9_223_372_036_854_775_808.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact() {
        let rows = [
            ("0", Some(0)),
            ("000", Some(0)),
            ("1.1", Some(1100)),
            ("-1.5", Some(-1500)),
            ("1395066363.001", Some(1_395_066_363_001)),
            ("1604676851.123456789", Some(1_604_676_851_123)),
            ("9223372036854775.807", Some(i64::MAX)),
            ("1.5e3", Some(1_500_000)),
            (".5", Some(500)),
            ("12345678901234567890", None),
            ("1e30", None),
            ("NaN", None),
            ("-Inf", None),
            ("1.1.1", None),
            ("1z", None),
            ("1_2", None),
            ("0x1p-3", None),
            ("-", None),
            ("", None),
        ];
        for (text, time) in rows {
            assert_eq!(milliseconds(text), time, "{text}");
        }
    }
}
