//! The time for the sources of one scrape: the scraper's timeout, less a margin for the answer.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// The header in which Prometheus sends its timeout
pub(crate) const SCRAPE_TIMEOUT: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
/// The timeout of a scraper without the header: the default of Prometheus' `scrape_timeout`
const DEFAULT: Duration = Duration::from_secs(10);
/// The longest timeout that counts, because the health listener gives a page 65 s
const CAP: Duration = Duration::from_secs(60);
/// The part of the scraper's time that is left to merge, compress and send the page, and its bounds
const MARGIN_DIVISOR: u32 = 10;
const SHORTEST_MARGIN: Duration = Duration::from_millis(50);
const LONGEST_MARGIN: Duration = Duration::from_millis(500);

/// The time for the sources.
pub(crate) fn scrape_limit(headers: &HeaderMap) -> Duration {
    let seconds: Option<f64> = headers.get(SCRAPE_TIMEOUT).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    // NaN is no minimum.
    let timeout = seconds
        .filter(|seconds| !seconds.is_nan())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds.min(CAP.as_secs_f64())).ok());
    let limit = timeout.filter(|limit| !limit.is_zero()).unwrap_or(DEFAULT);
    let margin = (limit / MARGIN_DIVISOR).clamp(SHORTEST_MARGIN, LONGEST_MARGIN);
    // A scraper with less time than the margin gets half of it for its sources.
    limit.checked_sub(margin).filter(|rest| *rest > margin).unwrap_or(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scrapers_own_time_less_a_margin() {
        for (timeout, milliseconds) in [
            (None, 9500),
            (Some("10"), 9500),
            (Some(" 2.5 "), 2250),
            (Some("0.2"), 150),
            (Some("0.05"), 25),
            (Some("3600"), 59_500),
            (Some("inf"), 59_500),
            (Some("0"), 9500),
            (Some("-1"), 9500),
            (Some("NaN"), 9500),
            (Some("soon"), 9500),
        ] {
            let headers = timeout.map(|timeout| (SCRAPE_TIMEOUT, timeout.parse().unwrap()));
            let limit = scrape_limit(&HeaderMap::from_iter(headers));
            assert_eq!(limit.as_millis(), milliseconds, "{timeout:?}");
        }
    }
}
