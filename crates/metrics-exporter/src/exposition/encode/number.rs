//! Numbers as text.

/// Writes the shortest text that is read as this value; whole numbers have no point.
pub(super) fn write_value(value: f64, page: &mut Vec<u8>) {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the value right away")]
    let whole = value as i64;
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let is_whole = whole.unsigned_abs() < EXACT && (whole as f64).to_bits() == value.to_bits();
    if is_whole {
        page.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    } else if value.is_finite() {
        page.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        page.extend_from_slice(not_finite(value).as_bytes());
    }
}

/// Writes a bound as Go's `strconv.FormatFloat(bound, 'g', -1, 64)` does. Each character counts, because a bound is the value of a
/// label.
pub(super) fn write_bound(bound: f64, page: &mut Vec<u8>) {
    if !bound.is_finite() {
        page.extend_from_slice(not_finite(bound).as_bytes());
        return;
    }
    let mut buffer = zmij::Buffer::new();
    let (sign, digits, exponent) = scientific(buffer.format_finite(bound));
    if sign {
        page.push(b'-');
    }
    let digits = digits.as_bytes();
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if !(-4..EXPONENT_FROM).contains(&exponent) {
        page.push(digits[0]);
        if digits.len() > 1 {
            page.push(b'.');
            page.extend_from_slice(&digits[1..]);
        }
        page.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            page.push(b'0');
        }
        page.extend_from_slice(itoa::Buffer::new().format(exponent.abs()).as_bytes());
    } else if exponent < 0 {
        page.extend_from_slice(b"0.");
        page.extend((1..-exponent).map(|_| b'0'));
        page.extend_from_slice(digits);
    } else {
        let whole = usize::try_from(exponent + 1).unwrap_or_default().min(digits.len());
        page.extend_from_slice(&digits[..whole]);
        page.extend((length..=exponent).map(|_| b'0'));
        if whole < digits.len() {
            page.push(b'.');
            page.extend_from_slice(&digits[whole..]);
        }
    }
}

/// Writes a bound for OpenMetrics, in which each number has a point or an exponent.
pub(super) fn write_open_bound(bound: f64, page: &mut Vec<u8>) {
    let start = page.len();
    write_bound(bound, page);
    if bound.is_finite() && !page[start..].iter().any(|byte| matches!(byte, b'.' | b'e')) {
        page.extend_from_slice(b".0");
    }
}

/// Writes milliseconds as seconds.
pub(super) fn write_seconds(milliseconds: i64, page: &mut Vec<u8>) {
    if milliseconds < 0 {
        page.push(b'-');
    }
    let milliseconds = milliseconds.unsigned_abs();
    page.extend_from_slice(itoa::Buffer::new().format(milliseconds / 1000).as_bytes());
    let thousandths = milliseconds % 1000;
    if thousandths > 0 {
        // The leading digit keeps the zeros behind it; the point replaces it.
        let point = page.len();
        page.extend_from_slice(itoa::Buffer::new().format(1000 + thousandths).as_bytes());
        page[point] = b'.';
    }
}

/// Returns whether the number is negative, its digits without zeros at both ends, and the power of ten of the first digit.
fn scientific(text: &str) -> (bool, String, i32) {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let digits = all.trim_start_matches('0');
    let zeros = all.len() - digits.len();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return (negative, "0".to_owned(), 0);
    }
    let first = i32::try_from(whole.len()).unwrap_or_default() - i32::try_from(zeros).unwrap_or_default() - 1;
    (negative, digits.to_owned(), exponent + first)
}

fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

/// The largest number up to which every whole number is a float
const EXACT: u64 = 1 << 53;
/// The power of ten from which on Go writes an exponent
const EXPONENT_FROM: i32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(f64, &mut Vec<u8>), value: f64) -> String {
        let mut page = Vec::new();
        write(value, &mut page);
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn values() {
        let rows = [
            (0.0, "0"),
            (-0.0, "-0.0"),
            (1e6, "1000000"),
            (-42.0, "-42"),
            (0.1, "0.1"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, text) in rows {
            assert_eq!(written(write_value, value), text);
        }
    }

    #[test]
    fn bounds_as_go_writes_them() {
        let rows = [
            (0.0, "0"),
            (1.0, "1"),
            (10.0, "10"),
            (100_000.0, "100000"),
            (123_456.5, "123456.5"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1e23, "1e+23"),
            (1e100, "1e+100"),
            (2.5, "2.5"),
            (0.005, "0.005"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-0.25, "-0.25"),
            (-1.5e-7, "-1.5e-07"),
            (f64::INFINITY, "+Inf"),
        ];
        for (bound, text) in rows {
            assert_eq!(written(write_bound, bound), text);
        }
        assert_eq!(written(write_open_bound, 10.0), "10.0");
        assert_eq!(written(write_open_bound, 1e6), "1e+06");
        assert_eq!(written(write_open_bound, 2.5), "2.5");
        assert_eq!(written(write_open_bound, f64::INFINITY), "+Inf");
    }

    #[test]
    fn times_in_seconds() {
        for (milliseconds, text) in
            [(0, "0"), (1500, "1.500"), (-1, "-0.001"), (1_395_066_363_000, "1395066363"), (1042, "1.042")]
        {
            let mut page = Vec::new();
            write_seconds(milliseconds, &mut page);
            assert_eq!(String::from_utf8(page).unwrap(), text);
        }
    }
}
