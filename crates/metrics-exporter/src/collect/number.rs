//! Numbers as the kernel writes them.

/// Reads a whole number, which may be negative, as the nearest float. `None` for other text, for an empty text, and for a number
/// with more digits than any float.
pub(crate) fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A count as a float
#[expect(clippy::cast_precision_loss, reason = "values of metrics are floats")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_whole_numbers_are_numbers() {
        assert_eq!(number("0"), Some(0.0));
        assert_eq!(number("-1"), Some(-1.0));
        assert_eq!(number("18446744073709551615"), Some(18_446_744_073_709_551_615.0));
        assert_eq!(number(&"9".repeat(30)), Some(1e30));
        let too_long = "9".repeat(400);
        for wrong in [&*too_long, "", "-", "--1", "+1", "1.5", "1e3", "inf", "NaN", "0x1", " 1", "1 ", "١"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_count_is_a_number(count: u64) {
            prop_assert_eq!(number(&count.to_string()), Some(float(count)));
        }
    }
}
