//! Whether a call that an upstream has ended with UNAVAILABLE may be made once more (gRPC's proposal A6).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::grpc::status::Status;

/// An upstream's word about a retry: milliseconds, or a value that forbids it
pub(crate) const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// How often the call was made before
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// Attempts at a call, those of the client included: the bound of gRPC's own clients
const MOST_ATTEMPTS: u32 = 5;
/// The longest pushback that the proxy waits for; a client has more patience, and gets the answer with a longer one.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// The wait without a pushback is a part of this, by chance: calls that failed together do not come back together.
const WAIT: Duration = Duration::from_millis(50);

/// A call that was answered by trailers alone
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    pub(crate) pushback: Pushback,
    /// The client or the operator has said that it may be made twice.
    pub(crate) is_repeatable: bool,
    /// Attempts before this one, as the client counts them
    pub(crate) previous: u32,
}

/// An upstream's word about a retry
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// It says nothing
    None,
    /// The call may be made again after this time, so it has done nothing
    After(Duration),
    /// The call must not be made again
    Never,
}

impl Pushback {
    /// A negative value, or one that is no number, forbids a retry.
    pub(crate) fn of(trailers: &HeaderMap) -> Self {
        let Some(value) = trailers.get(PUSHBACK) else { return Self::None };
        let milliseconds = value.to_str().ok().and_then(|text| text.parse::<i32>().ok());
        match milliseconds.and_then(|number| u64::try_from(number).ok()) {
            Some(milliseconds) => Self::After(Duration::from_millis(milliseconds)),
            None => Self::Never,
        }
    }
}

/// The wait before the second attempt; nothing if there is none. `chance` is from 0 to 1.
pub(crate) fn decide(ended: Ended, chance: f64) -> Option<Duration> {
    if ended.status != Status::Unavailable || ended.previous + 1 >= MOST_ATTEMPTS {
        return None;
    }
    match ended.pushback {
        Pushback::After(wait) => Some(wait).filter(|wait| *wait <= LONGEST_WAIT),
        Pushback::None => ended.is_repeatable.then(|| WAIT.mul_f64(chance)),
        Pushback::Never => None,
    }
}

/// Attempts before this one, as the head of a call says
pub(crate) fn previous_attempts(headers: &HeaderMap) -> u32 {
    let number = headers.get(PREVIOUS_ATTEMPTS).and_then(|value| value.to_str().ok()?.parse().ok());
    number.unwrap_or(0).min(MOST_ATTEMPTS)
}

/// Tells the upstream that the call was made before.
pub(crate) fn count_attempt(headers: &mut HeaderMap, previous: u32) {
    headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(previous + 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushback(value: &'static str) -> Pushback {
        Pushback::of(&HeaderMap::from_iter([(PUSHBACK, HeaderValue::from_static(value))]))
    }

    #[test]
    fn a_pushback_is_a_time_or_forbids() {
        assert_eq!(Pushback::of(&HeaderMap::new()), Pushback::None);
        assert_eq!(pushback("0"), Pushback::After(Duration::ZERO));
        assert_eq!(pushback("1500"), Pushback::After(Duration::from_millis(1500)));
        for value in ["-1", "", "x", "1.5", "2147483648", " 1"] {
            assert_eq!(pushback(value), Pushback::Never, "{value}");
        }
    }

    #[test]
    fn a_call_is_made_again_where_the_client_or_the_server_allows_it() {
        let ended = Ended { status: Status::Unavailable, pushback: Pushback::None, is_repeatable: false, previous: 0 };
        assert_eq!(decide(ended, 0.5), None);
        let repeatable = Ended { is_repeatable: true, ..ended };
        assert_eq!(decide(repeatable, 0.5), Some(WAIT / 2));
        assert_eq!(decide(Ended { pushback: Pushback::Never, ..repeatable }, 0.5), None);
        let asked = |milliseconds| Ended { pushback: Pushback::After(Duration::from_millis(milliseconds)), ..ended };
        assert_eq!(decide(asked(70), 0.5), Some(Duration::from_millis(70)));
        assert_eq!(decide(asked(1001), 0.5), None);
        for status in Status::ALL.into_iter().filter(|status| *status != Status::Unavailable) {
            assert_eq!(decide(Ended { status, ..asked(0) }, 0.5), None, "{status:?}");
        }
    }

    #[test]
    fn attempts_of_the_client_count() {
        let ended = |previous| Ended {
            status: Status::Unavailable,
            pushback: Pushback::After(Duration::ZERO),
            is_repeatable: true,
            previous,
        };
        assert!(decide(ended(3), 0.0).is_some() && decide(ended(4), 0.0).is_none());
        let mut headers = HeaderMap::new();
        assert_eq!(previous_attempts(&headers), 0);
        count_attempt(&mut headers, 0);
        assert_eq!((previous_attempts(&headers), headers[PREVIOUS_ATTEMPTS].as_bytes()), (1, &b"1"[..]));
        headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from_static("4294967295"));
        assert_eq!(decide(ended(previous_attempts(&headers)), 0.0), None);
    }
}
