//! What is counted, under OpenTelemetry's names where it has one.

use std::cell::RefCell;

use http::{Method, StatusCode};
use lifecycle::Lifecycle;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, core::Collector,
};

use crate::{
    refusal::{Refusal, fault::Fault},
    upstream::Counts,
};

/// Seconds; the bounds that OpenTelemetry recommends for HTTP
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
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

/// The metrics of the process
#[derive(Clone)]
pub(crate) struct Metrics {
    duration: HistogramVec,
    active: IntGaugeVec,
    connections: IntGaugeVec,
    upstream_connections: IntCounterVec,
    retries: IntCounterVec,
    refusals: IntCounterVec,
    /// Lines of the access log that its reader did not take in time
    pub(crate) dropped_log_lines: IntCounter,
}

/// The metrics of a listener in one worker, found without a lookup of labels
pub(crate) struct Telemetry {
    metrics: Metrics,
    listener: String,
    routes: Vec<String>,
    durations: RefCell<Vec<(Key, Histogram)>>,
    pub(crate) active: IntGauge,
    pub(crate) connections: IntGauge,
}

/// The labels that distinguish two requests in the metrics
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    route: Option<usize>,
    method: usize,
    status: u16,
    fault: Option<Fault>,
}

impl Metrics {
    pub(crate) fn new(life: &Lifecycle) -> prometheus::Result<Self> {
        let buckets = BUCKETS.to_vec();
        let duration = HistogramOpts::new(
            "http_server_request_duration_seconds",
            "Requests, from their head to the end of their answer",
        )
        .buckets(buckets);
        let labels = ["listener", "http_route", "http_request_method", "http_response_status_code", "error_type"];
        let metrics = Self {
            duration: HistogramVec::new(duration, &labels)?,
            active: gauges("http_server_active_requests", "Requests in flight")?,
            connections: gauges("sidekit_proxy_connections", "Clients' connections that are open")?,
            upstream_connections: counters(
                "sidekit_proxy_upstream_connections_total",
                "Connections that requests were sent over: fresh or reused; stale ones were found closed",
                &["upstream", "kind"],
            )?,
            retries: counters("sidekit_proxy_retries_total", "Requests that were sent a second time", &["upstream"])?,
            refusals: counters("sidekit_proxy_refusals_total", "Requests that the proxy answered itself", &["reason"])?,
            dropped_log_lines: IntCounter::new(
                "sidekit_proxy_access_log_dropped_total",
                "Lines of the access log that were dropped, because stdout was not read in time",
            )?,
        };
        for refusal in Refusal::ALL {
            metrics.refusals.with_label_values(&[refusal.name()]);
        }
        let collectors: [Box<dyn Collector>; 7] = [
            Box::new(metrics.duration.clone()),
            Box::new(metrics.active.clone()),
            Box::new(metrics.connections.clone()),
            Box::new(metrics.upstream_connections.clone()),
            Box::new(metrics.retries.clone()),
            Box::new(metrics.refusals.clone()),
            Box::new(metrics.dropped_log_lines.clone()),
        ];
        for collector in collectors {
            life.metrics().register(collector)?;
        }
        Ok(metrics)
    }

    /// The counters of an upstream
    pub(crate) fn of_upstream(&self, upstream: &str) -> Counts {
        let of_kind = |kind| self.upstream_connections.with_label_values(&[upstream, kind]);
        Counts {
            fresh: of_kind("fresh"),
            reused: of_kind("reused"),
            stale: of_kind("stale"),
            retries: self.retries.with_label_values(&[upstream]),
        }
    }

    /// A request was refused.
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.refusals.with_label_values(&[refusal.name()]).inc();
    }
}

impl Telemetry {
    pub(crate) fn new(metrics: &Metrics, listener: &str, routes: Vec<String>) -> Self {
        Self {
            metrics: metrics.clone(),
            listener: listener.to_owned(),
            routes,
            durations: RefCell::default(),
            active: metrics.active.with_label_values(&[listener]),
            connections: metrics.connections.with_label_values(&[listener]),
        }
    }

    /// A request was refused.
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.metrics.refused(refusal);
    }

    /// A request has ended after this number of seconds.
    pub(crate) fn ended(
        &self,
        route: Option<usize>,
        method: &Method,
        status: StatusCode,
        fault: Option<Fault>,
        seconds: f64,
    ) {
        let method = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let key = Key { route, method, status: status.as_u16(), fault };
        let mut durations = self.durations.borrow_mut();
        if let Some((_, histogram)) = durations.iter().find(|(known, _)| *known == key) {
            return histogram.observe(seconds);
        }
        let histogram = self.histogram(key);
        histogram.observe(seconds);
        durations.push((key, histogram));
    }

    fn histogram(&self, key: Key) -> Histogram {
        let route = key.route.map_or("", |route| &self.routes[route]);
        let method = METHODS.get(key.method).map_or("_OTHER", Method::as_str);
        let status = key.status.to_string();
        // An answer of the upstream that says it failed is an error too, and its status the type of it.
        let is_error = key.status >= 500;
        let error = match key.fault {
            Some(fault) => fault.name(),
            None if is_error => &status,
            None => "",
        };
        self.metrics.duration.with_label_values(&[&self.listener, route, method, &status, error])
    }
}

fn gauges(name: &str, help: &str) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(Opts::new(name, help), &["listener"])
}

fn counters(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), labels)
}
