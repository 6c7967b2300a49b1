//! Files of one value, and files with a `name value` on each line ("flat keyed" in the kernel's cgroup-v2.rst).

use super::flaw::Flaw;

/// The largest number that is a limit. Version 1 writes "no limit" as the largest multiple of the page size below 2^63, older
/// kernels as 2^63 - 1; cAdvisor reads every number above this one as no limit.
const UNLIMITED: u64 = 1 << 62;

/// A limit
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    None,
    Of(u64),
}

impl Limit {
    /// The limit that a number of version 1 means.
    pub(super) fn of(number: u64) -> Self {
        if number > UNLIMITED { Self::None } else { Self::Of(number) }
    }

    /// The limit as cAdvisor's metrics have it, 0 for no limit.
    pub(super) fn or_zero(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Of(limit) => limit,
        }
    }

    /// The smaller limit; no limit is the largest.
    pub(super) fn min(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of(one), Self::Of(another)) => Self::Of(one.min(another)),
            (Self::None, limit) | (limit, Self::None) => limit,
        }
    }
}

/// Reads a file with one number and a newline.
pub(super) fn number(text: &str) -> Result<u64, Flaw> {
    digits(text.trim_end())
}

/// Reads a number of digits only; Rust's parser alone would accept a plus sign.
pub(super) fn digits(text: &str) -> Result<u64, Flaw> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(Flaw::MALFORMED)
}

/// Reads a file with one number, with `max`, or with `-1`, which `cpu.cfs_quota_us` of version 1 has for no limit.
pub(super) fn limit(text: &str) -> Result<Limit, Flaw> {
    match text.trim_end() {
        "max" | "-1" => Ok(Limit::None),
        number => digits(number).map(Limit::of),
    }
}

/// Reads cpu.max of version 2: `QUOTA PERIOD` in microseconds; the quota is a number or `max`.
pub(super) fn quota(text: &str) -> Result<(Limit, u64), Flaw> {
    let (quota, period) = text.trim_end().split_once(' ').ok_or(Flaw::MALFORMED)?;
    Ok((limit(quota)?, number(period)?))
}

/// Reads the values of these names, each with its own flaw. Lines with other names are ignored.
pub(super) fn keyed<const N: usize>(text: &str, names: [&str; N]) -> [Result<u64, Flaw>; N] {
    let mut values = [Err(Flaw::MISSING); N];
    for line in text.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(index) = names.iter().position(|wanted| *wanted == name) {
            values[index] = digits(value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_and_a_newline() {
        assert_eq!(number("64312024305502\n"), Ok(64_312_024_305_502));
        assert_eq!(number("18446744073709551615\n"), Ok(u64::MAX));
        for text in [
            "",
            "\n",
            "max\n",
            "-1\n",
            "1 2\n",
            "1\n2\n",
            "18446744073709551616\n",
            "0x1\n",
            "1.5\n",
            "+1\n",
            " 1\n",
            "१\n",
        ] {
            assert_eq!(number(text), Err(Flaw::MALFORMED), "{text:?}");
        }
    }

    #[test]
    fn no_limit_has_three_spellings() {
        for text in ["max\n", "-1\n", "9223372036854771712\n", "9223372036854775807\n", "18446744073709551615\n"] {
            assert_eq!(limit(text), Ok(Limit::None), "{text:?}");
        }
        assert_eq!(limit("0\n"), Ok(Limit::Of(0)));
        assert_eq!(limit("7864320000\n"), Ok(Limit::Of(7_864_320_000)));
        for text in ["", "\n", "-2\n", "maximum\n", "1K\n", "+1\n", "99999999999999999999\n"] {
            assert_eq!(limit(text), Err(Flaw::MALFORMED), "{text:?}");
        }
        assert_eq!(Limit::None.min(Limit::Of(3)).min(Limit::Of(2)), Limit::Of(2));
        assert_eq!(Limit::None.min(Limit::None).or_zero(), 0);
    }

    #[test]
    fn a_quota_has_a_period() {
        assert_eq!(quota("max 100000\n"), Ok((Limit::None, 100_000)));
        assert_eq!(quota("20000 100000\n"), Ok((Limit::Of(20_000), 100_000)));
        for text in ["", "max\n", "max max\n", "20000 \n", " 100000\n", "20000 100000 1\n"] {
            assert_eq!(quota(text), Err(Flaw::MALFORMED), "{text:?}");
        }
    }

    /// As Linux 6.1 writes it, for a container with a quota
    const CPU_STAT: &str = "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\ncore_sched.force_idle_usec 0\n\
        nr_periods 120\nnr_throttled 17\nthrottled_usec 850000\nnr_bursts 0\nburst_usec 0\n";

    #[test]
    fn each_name_has_a_value_or_a_flaw_of_its_own() {
        assert_eq!(keyed(CPU_STAT, ["nr_throttled", "usage_usec"]), [Ok(17), Ok(1_234_567)]);
        assert_eq!(keyed(CPU_STAT, ["usage", "nr_periods"]), [Err(Flaw::MISSING), Ok(120)]);
        let broken = "a 1\nb\nc \nd x\n\ne 5 6\nf 18446744073709551615\ng 1";
        let (missing, malformed) = (Err(Flaw::MISSING), Err(Flaw::MALFORMED));
        assert_eq!(
            keyed(broken, ["a", "b", "c", "d", "e", "f", "g", "h"]),
            [Ok(1), malformed, malformed, malformed, malformed, Ok(u64::MAX), Ok(1), missing]
        );
        assert_eq!(keyed("", ["a"]), [missing]);
    }
}
