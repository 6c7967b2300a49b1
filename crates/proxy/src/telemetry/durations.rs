//! A family of histograms of durations, each found without a lookup of labels.

use std::cell::RefCell;

use http::{Method, StatusCode};
use prometheus::{Histogram, HistogramVec};

use crate::refusal::fault::Fault;

/// Methods that have a label of their own; any other is `_OTHER`, because clients may invent them
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::OPTIONS,
    Method::PATCH,
    Method::TRACE,
];

/// A status that is no number of HTTP's, and an error
const OTHER: u16 = 1000;

/// The histograms that share their first labels
pub(crate) struct Durations {
    family: HistogramVec,
    /// The values of the first labels; those of method, status and error follow
    first: Vec<String>,
    /// The least status that is an error by itself
    error_status: u16,
    known: RefCell<Vec<(Key, Histogram)>>,
}

/// The labels that distinguish them
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    method: usize,
    /// 0 without an answer, and `OTHER` for one that no specification names, because upstreams may invent them
    status: u16,
    fault: Option<Fault>,
}

impl Durations {
    /// Of servers, where only 5xx are errors (OpenTelemetry's semantic conventions for HTTP)
    pub(crate) fn of_server(family: &HistogramVec, first: &[&str]) -> Self {
        Self::new(family, first, 500)
    }

    /// Of clients, where 4xx are errors too
    pub(crate) fn of_client(family: &HistogramVec, first: &[&str]) -> Self {
        Self::new(family, first, 400)
    }

    fn new(family: &HistogramVec, first: &[&str], error_status: u16) -> Self {
        let first = first.iter().map(|&value| value.to_owned()).collect();
        Self { family: family.clone(), first, error_status, known: RefCell::default() }
    }

    /// A request has ended after this number of seconds.
    pub(crate) fn observe(&self, method: &Method, status: Option<StatusCode>, fault: Option<Fault>, seconds: f64) {
        let method = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let is_known = |status: &StatusCode| status.canonical_reason().is_some() || fault == Some(Fault::ClientGone);
        let number = |status: StatusCode| if is_known(&status) { status.as_u16() } else { OTHER };
        let key = Key { method, status: status.map_or(0, number), fault };
        let mut known = self.known.borrow_mut();
        if let Some((_, histogram)) = known.iter().find(|(known, _)| *known == key) {
            return histogram.observe(seconds);
        }
        let histogram = self.histogram(key);
        histogram.observe(seconds);
        known.push((key, histogram));
    }

    fn histogram(&self, key: Key) -> Histogram {
        let method = METHODS.get(key.method).map_or("_OTHER", Method::as_str);
        let status = match key.status {
            0 => String::new(),
            OTHER => "_OTHER".into(),
            status => status.to_string(),
        };
        let error = match key.fault {
            Some(fault) => fault.name(),
            None if key.status >= self.error_status => &status,
            None => "",
        };
        let mut labels: Vec<&str> = self.first.iter().map(|value| &**value).collect();
        labels.extend([method, &status, error]);
        self.family.with_label_values(&labels)
    }
}
