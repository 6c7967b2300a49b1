//! The numbers of both text formats.

/// Reads a value like Go's `strconv.ParseFloat`, but without hexadecimal digits and underscores, which Prometheus refuses.
pub(super) fn float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    // Most values are small whole numbers.
    if (1..=MAX_DIGITS).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit) {
        return Some(small(bytes));
    }
    let value: f64 = text.parse().ok()?;
    // Unlike Go, Rust accepts a sign before NaN and reads a number that is too large as an infinity.
    let is_as_in_go =
        if value.is_nan() { bytes.len() == 3 } else { value.is_finite() || !bytes.iter().any(u8::is_ascii_digit) };
    is_as_in_go.then_some(value)
}

/// The most digits for which every whole number is exact in 64 bits of floating point
const MAX_DIGITS: usize = 15;

#[expect(clippy::cast_precision_loss, reason = "at most 15 digits")]
fn small(digits: &[u8]) -> f64 {
    digits.iter().fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0')) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_prometheus_reads() {
        let rows = [
            ("0", Some(0.0)),
            ("007", Some(7.0)),
            ("1.", Some(1.0)),
            (".5", Some(0.5)),
            ("+1e3", Some(1000.0)),
            ("-0.25", Some(-0.25)),
            ("123456789012345678", Some(123_456_789_012_345_680.0)),
            ("+Inf", Some(f64::INFINITY)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("INFINITY", Some(f64::INFINITY)),
            ("", None),
            ("+", None),
            (".", None),
            ("1e", None),
            ("1e999", None),
            ("0x1p-3", None),
            ("0x1", None),
            ("1_000", None),
            ("1\r", None),
            ("+nan", None),
            ("nan ", None),
        ];
        for (text, value) in rows {
            assert_eq!(float(text), value, "{text}");
        }
        assert!(float("NaN").unwrap().is_nan());
        assert!(float("nan").unwrap().is_nan());
    }
}
