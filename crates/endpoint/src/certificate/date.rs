//! Dates in certificates (RFC 5280, section 4.1.2.5), as seconds since 1970.

use crate::der::Malformed;

/// `YYMMDDHHMMSSZ`, for the years 1950 to 2049
pub(super) fn utc_time(text: &[u8]) -> Result<i64, Malformed> {
    let (year, rest) = text.split_at_checked(2).ok_or(Malformed)?;
    let year = number(year)?;
    seconds(if year < 50 { 2000 + year } else { 1900 + year }, rest)
}

/// `YYYYMMDDHHMMSSZ`
pub(super) fn generalized_time(text: &[u8]) -> Result<i64, Malformed> {
    let (year, rest) = text.split_at_checked(4).ok_or(Malformed)?;
    seconds(number(year)?, rest)
}

/// `MMDDHHMMSSZ` of a year
fn seconds(year: i64, rest: &[u8]) -> Result<i64, Malformed> {
    let digits = rest.strip_suffix(b"Z").filter(|digits| digits.len() == 10).ok_or(Malformed)?;
    let mut fields = [0; 5];
    for (field, pair) in fields.iter_mut().zip(digits.chunks_exact(2)) {
        *field = number(pair)?;
    }
    let [month, day, hour, minute, second] = fields;
    let is_date = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return Err(Malformed);
    }
    Ok(((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// `2026-11-24T09:58:45Z` of seconds since 1970; earlier ones are 1970.
pub fn date_text(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970 + days / 366;
    while days_since_1970(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_since_1970(year, month + 1, 1) <= days {
        month += 1;
    }
    let day = days - days_since_1970(year, month, 1) + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

fn number(digits: &[u8]) -> Result<i64, Malformed> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    Ok(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar; negative before 1970
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Leap days up to the end of a year: each fourth year, but for the hundredth ones that are not a four-hundredth.
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let of_years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let of_months: i64 = (1..month).map(|month| days_of_month(year, month)).sum();
    of_years + of_months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        // As `date -u -d … +%s` says
        for (text, seconds) in [
            ("19700101000000Z", 0),
            ("19691231235959Z", -1),
            ("19500101000000Z", -631_152_000),
            ("20000229120000Z", 951_825_600),
            ("20380119031408Z", 2_147_483_648),
            ("20491231235959Z", 2_524_607_999),
            ("21000301000000Z", 4_107_542_400),
            ("99991231235959Z", 253_402_300_799),
        ] {
            assert_eq!(generalized_time(text.as_bytes()), Ok(seconds), "{text}");
        }
        for (seconds, text) in [
            (-1, "1970-01-01T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(date_text(seconds), text);
        }
        for (text, same) in [("491231235959Z", "20491231235959Z"), ("500101000000Z", "19500101000000Z")] {
            assert_eq!(utc_time(text.as_bytes()), generalized_time(same.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_no_date_is() {
        for text in [
            "",
            "20250101000000",
            "20250101000000+0000",
            "202501010000Z",
            "20250101000000.5Z",
            "20250001000000Z",
            "20251301000000Z",
            "20250100000000Z",
            "20250229000000Z",
            "21000229000000Z",
            "20250431000000Z",
            "20250101240000Z",
            "20250101006000Z",
            "20250101000060Z",
            "2025010100000-Z",
            "2025+101000000Z",
        ] {
            assert_eq!(generalized_time(text.as_bytes()), Err(Malformed), "{text}");
        }
        assert_eq!(utc_time(b"5"), Err(Malformed));
    }
}
