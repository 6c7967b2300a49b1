//! W3C trace context: the trace that a request belongs to (<https://www.w3.org/TR/trace-context/>).

use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
};

use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::head::hop_by_hop::seen::Seen;

/// The header that names the trace and the caller's span
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header that tracing systems add; it means nothing without the header above
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// Bytes of `00-TRACE-SPAN-FLAGS`
const LENGTH: usize = 55;

/// The fate of a request that has no valid `traceparent`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BeginTrace {
    /// It begins a trace that apps record, as they do without a proxy
    Sampled,
    /// It begins a trace that apps do not record unless they decide so themselves
    Unsampled,
    /// It goes on as it came
    Never,
}

/// Names new traces
#[derive(Debug)]
pub(crate) struct Traces {
    begin: BeginTrace,
    random: RefCell<fastrand::Rng>,
}

impl Traces {
    /// Its names are random in each process, because the standard library's keys for hash maps are.
    pub(crate) fn new(begin: BeginTrace) -> Self {
        Self { begin, random: fastrand::Rng::with_seed(RandomState::new().hash_one(begin as u8)).into() }
    }

    /// Lets a valid context pass as it is, because the proxy adds no span of its own. Otherwise begins a new one, and drops the
    /// state that belonged to the old one (section 3.2 and 3.3 of the recommendation).
    pub(crate) fn settle(&self, headers: &mut HeaderMap, seen: Seen) {
        if self.begin == BeginTrace::Never || seen.has(Seen::TRACE) && is_one_valid(headers) {
            return;
        }
        if seen.has(Seen::TRACE) {
            headers.remove(TRACESTATE);
        }
        headers.insert(TRACEPARENT, self.begin());
    }

    fn begin(&self) -> HeaderValue {
        let (trace, span) = {
            let mut random = self.random.borrow_mut();
            // Zero is no name.
            (random.u128(1..), random.u64(1..))
        };
        let mut text = *b"00-________________________________-________________-00";
        write_hex(&mut text[3..35], trace);
        write_hex(&mut text[36..52], span.into());
        if self.begin == BeginTrace::Sampled {
            text[54] = b'1';
        }
        HeaderValue::from_bytes(&text).expect("hexadecimal digits")
    }
}

/// The trace that a `traceparent` names; nothing if it is not valid
pub(crate) fn trace_id(traceparent: &HeaderValue) -> Option<&str> {
    let text = traceparent.as_bytes();
    if is_valid(text) { str::from_utf8(&text[3..35]).ok() } else { None }
}

fn is_one_valid(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(TRACEPARENT).iter();
    values.next().is_some_and(|value| is_valid(value.as_bytes())) && values.next().is_none()
}

/// `VERSION-TRACE-SPAN-FLAGS` in lower-case hexadecimal digits. Later versions may have more behind it (section 3.2.4).
fn is_valid(text: &[u8]) -> bool {
    let Some((known, rest)) = text.split_at_checked(LENGTH) else { return false };
    let has_digits = known.iter().enumerate().all(|(at, byte)| match at {
        2 | 35 | 52 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    let is_length = match &known[..2] {
        b"00" => rest.is_empty(),
        b"ff" => false,
        _ => rest.first().is_none_or(|byte| *byte == b'-'),
    };
    let is_zero = |digits: &[u8]| digits.iter().all(|digit| *digit == b'0');
    has_digits && is_length && !is_zero(&known[3..35]) && !is_zero(&known[36..52])
}

/// Fills the room with the number's last digits.
fn write_hex(room: &mut [u8], mut number: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in room.iter_mut().rev() {
        *place = DIGITS[(number & 15) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// `traceparent` and `tracestate` of a request with these after the proxy has settled them
    fn settled(begin: BeginTrace, traceparents: &[&str]) -> (Vec<String>, bool) {
        let mut headers = HeaderMap::new();
        for value in traceparents {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).unwrap());
        }
        headers.append(TRACESTATE, HeaderValue::from_static("a=1"));
        headers.append(TRACESTATE, HeaderValue::from_static("b=2"));
        Traces::new(begin).settle(&mut headers, Seen::TRACE);
        let values = headers.get_all(TRACEPARENT).iter().map(|value| value.to_str().unwrap().to_owned());
        (values.collect(), headers.get_all(TRACESTATE).iter().count() == 2)
    }

    #[test]
    fn a_valid_context_passes_as_it_is() {
        for value in [VALID, &VALID.replacen("00", "cc", 1), &(VALID.replacen("00", "01", 1) + "-more")] {
            assert_eq!(settled(BeginTrace::Sampled, &[value]), (vec![value.to_owned()], true));
        }
        assert_eq!(trace_id(&HeaderValue::from_static(VALID)), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    #[test]
    fn anything_else_begins_a_trace_without_the_old_state() {
        let upper = VALID.to_uppercase();
        let long = VALID.to_owned() + "-more";
        let (no_trace, no_span) = (
            VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            VALID.replace("00f067aa0ba902b7", &"0".repeat(16)),
        );
        let (version, glued) = (VALID.replacen("00", "ff", 1), VALID.replacen("00", "01", 1) + "more");
        for values in [
            &[][..],
            &[&*upper],
            &[&long],
            &[&no_trace],
            &[&no_span],
            &[&version],
            &[&glued],
            &[VALID, VALID],
            &["x"],
            &[""],
        ] {
            let (begun, has_state) = settled(BeginTrace::Sampled, values);
            assert!(begun.len() == 1 && is_valid(begun[0].as_bytes()) && begun[0].ends_with("-01"), "{begun:?}");
            assert!(!has_state && !values.contains(&&*begun[0]), "{values:?}");
            assert!(settled(BeginTrace::Unsampled, values).0[0].ends_with("-00"), "{values:?}");
            assert_eq!(
                settled(BeginTrace::Never, values),
                (values.iter().map(|text| (*text).to_owned()).collect(), true)
            );
        }
    }

    #[test]
    fn no_two_processes_or_requests_begin_the_same_trace() {
        let (first, second) = (Traces::new(BeginTrace::Sampled), Traces::new(BeginTrace::Sampled));
        let names = [first.begin(), first.begin(), second.begin(), second.begin()];
        let names: std::collections::HashSet<_> = names.iter().map(|name| trace_id(name).unwrap()).collect();
        assert_eq!(names.len(), 4);
    }
}
