//! The one duration syntax and the one size syntax.

use std::time::Duration;

const DURATION_HELP: &str = "write it as 250ms, 10s, 5m or 1h30m";
const SIZE_HELP: &str = "write it as 4096, 64KiB, 10MB or 1Mi";

/// Parses a duration: whole numbers with `ms`, `s`, `m`, `h`, biggest unit first, each at most once; or a plain `0`.
pub fn duration(text: &str) -> Result<Duration, String> {
    // The message does not repeat the value, because a misplaced secret may stand there.
    let wrong = || format!("this is not a duration: {DURATION_HELP}");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.parse::<u64>().is_ok() {
        return Err(format!("this duration has no unit: {DURATION_HELP}"));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut smallest_so_far = Duration::MAX;
    while !rest.is_empty() {
        let (number, unit, tail) = leading_part(rest).ok_or_else(wrong)?;
        let unit = match unit {
            "h" => Duration::from_secs(3600),
            "m" => Duration::from_secs(60),
            "s" => Duration::from_secs(1),
            "ms" => Duration::from_millis(1),
            _ => return Err(wrong()),
        };
        if unit >= smallest_so_far {
            return Err(wrong());
        }
        let part = u32::try_from(number).ok().and_then(|number| unit.checked_mul(number)).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        smallest_so_far = unit;
        rest = tail;
    }
    if smallest_so_far == Duration::MAX { Err(wrong()) } else { Ok(total) }
}

/// Parses a size in bytes: a whole number, then nothing, `B`, or a decimal (`kB`, `MB`, `GB`) or binary (`KiB`, `MiB`,
/// `GiB`) unit (IEC 80000-13), or the suffix of a Kubernetes quantity (`k`, `M`, `G`, `Ki`, `Mi`, `Gi`).
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("this is not a size: {SIZE_HELP}");
    let (number, unit, tail) = leading_part(text).ok_or_else(wrong)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "k" | "kB" | "KB" => 1000,
        "M" | "MB" => 1000 * 1000,
        "G" | "GB" => 1000 * 1000 * 1000,
        "Ki" | "KiB" => 1 << 10,
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    if tail.is_empty() { number.checked_mul(factor).ok_or_else(wrong) } else { Err(wrong()) }
}

/// Splits `1h30m` into `(1, "h", "30m")`.
fn leading_part(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(letters);
    Some((number.parse().ok()?, unit, tail))
}

/// Writes a duration so that [`duration`] reads it again, to the millisecond.
pub fn format_duration(duration: Duration) -> String {
    use std::fmt::Write as _;
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (unit, milliseconds) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= milliseconds {
            let _ = write!(text, "{}{unit}", rest / milliseconds);
            rest %= milliseconds;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// Writes how long something took, in seconds: `0.3s` below ten, `60s` above.
pub fn elapsed(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        format!("{}s", duration.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h1s", 3_601_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in
            ["", "5", "s", "1.5s", "-1s", "5 m", "30m1h", "1s1s", "1d", "5M", "99999999999999999999s", "5000000000h"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("7B", 7),
            ("64KiB", 65536),
            ("10MB", 10_000_000),
            ("1GiB", 1 << 30),
            ("1k", 1000),
            ("1Ki", 1024),
            ("500M", 500_000_000),
            ("1Mi", 1 << 20),
            ("3G", 3_000_000_000),
            ("2Gi", 1 << 31),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "KiB", "1.5MB", "-1", "10mb", "1m", "1K", "1 MB", "1MB1", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_says_what_to_write() {
        assert_eq!(duration("fast").unwrap_err(), "this is not a duration: write it as 250ms, 10s, 5m or 1h30m");
        assert_eq!(duration("5").unwrap_err(), "this duration has no unit: write it as 250ms, 10s, 5m or 1h30m");
        assert_eq!(size("big").unwrap_err(), "this is not a size: write it as 4096, 64KiB, 10MB or 1Mi");
    }

    #[test]
    fn elapsed_time_is_in_seconds() {
        assert_eq!(elapsed(Duration::from_millis(340)), "0.3s");
        assert_eq!(elapsed(Duration::from_millis(60_900)), "60s");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(milliseconds in 0..u64::from(u32::MAX)) {
            let value = Duration::from_millis(milliseconds);
            prop_assert_eq!(duration(&format_duration(value)), Ok(value));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC*") {
            let _ = (duration(&text), size(&text));
        }
    }
}
