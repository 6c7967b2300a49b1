//! Numbers of JSON as what they are worth: `1.0`, `1` and `10e-1` are one number, however long they
//! are.

/// A number: its sign, its digits without zeros at the ends, and the power of ten of the last one.
/// Zero has no digits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Number {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

/// The number that a JSON text is; `None` for another text.
pub(super) fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    if whole.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let digits = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - digits.len()).ok()?;
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
    let digits = digits.trim_start_matches('0').to_owned();
    // All zeros are one.
    let is_zero = digits.is_empty();
    let exponent = if is_zero { 0 } else { exponent };
    Some(Number { is_negative: text.starts_with('-') && !is_zero, digits, exponent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_many_texts() {
        for (one, other) in [
            ("1", "1.0"),
            ("10", "1e1"),
            ("-0", "0.00"),
            ("0e9", "0"),
            ("0.1", "1E-1"),
            ("100", "1e+2"),
            ("1e400", "10e399"),
            ("12345678901234567890123", "12345678901234567890123.0"),
        ] {
            assert_eq!(number(one), number(other), "{one} {other}");
            assert!(number(one).is_some(), "{one}");
        }
        for (one, other) in
            [("1", "10"), ("1", "-1"), ("12345678901234567890123", "12345678901234567890124"), ("1", "1.01")]
        {
            assert_ne!(number(one), number(other), "{one} {other}");
        }
        for text in ["", "-", "a", "1x", ".", "1e", "1e99999999999999999999", "true"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
