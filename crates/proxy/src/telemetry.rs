//! The metrics, under OpenTelemetry's names where it has one.
//!
//! Long because each metric has its name and its help here.

pub(crate) mod attempt;
mod calls;
mod durations;
mod limit;
mod protocols;
mod series;
mod tunnels;

use std::rc::Rc;

use http::{Method, StatusCode, Version};
use lifecycle::Lifecycle;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, core::Collector,
};

pub(crate) use self::limit::Limit;
use self::{
    calls::Calls,
    durations::Durations,
    protocols::{OfListener, Protocols},
    series::{Holders, Kept, Labels},
    tunnels::{Tunnels, TunnelsOfListener},
};
use crate::{
    grpc::status::Status,
    refusal::{Refusal, fault::Fault},
    tls::outcome::Outcome,
};

/// Seconds; the bounds that OpenTelemetry recommends for HTTP
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Labels of both histograms; the error is empty where there is none, and the status where there is no answer
const LAST_LABELS: [&str; 3] = ["http_request_method", "http_response_status_code", "error_type"];

/// The metrics of the process
#[derive(Clone)]
pub(crate) struct Metrics {
    server: HistogramVec,
    client: HistogramVec,
    calls: IntCounterVec,
    active: IntGaugeVec,
    connections: IntGaugeVec,
    accepted: IntCounterVec,
    protocols: Protocols,
    tunnels: Tunnels,
    open_upstream_connections: IntGaugeVec,
    upstream_connections: IntCounterVec,
    retries: IntCounterVec,
    denied_retries: IntCounterVec,
    refusals: IntCounterVec,
    /// By the place in `Limit::ALL`
    limits: Vec<IntCounter>,
    /// Lines of the access log that its reader did not take in time
    pub(crate) dropped_log_lines: IntCounter,
    holders: Holders,
}

/// Keeps series for as long as a configuration names them
type KeptSeries = Kept<Box<dyn Fn(&Labels) + Send>>;

/// The metrics of a listener in one worker, found without a lookup of labels
pub(crate) struct Telemetry {
    metrics: Metrics,
    /// By the index that routes have
    routes: Vec<Durations>,
    without_route: Durations,
    /// The same for calls of gRPC
    calls: Vec<Calls>,
    calls_without_route: Calls,
    pub(crate) active: IntGauge,
    pub(crate) connections: IntGauge,
    pub(crate) accepted: IntCounter,
    protocols: OfListener,
    pub(crate) tunnels: TunnelsOfListener,
    _kept: Vec<KeptSeries>,
}

/// The metrics of an upstream in one worker
#[derive(Clone)]
pub(crate) struct Counts {
    pub(crate) durations: Rc<Durations>,
    pub(crate) fresh: IntCounter,
    pub(crate) reused: IntCounter,
    pub(crate) stale: IntCounter,
    pub(crate) retries: IntCounter,
    pub(crate) denied_retries: IntCounter,
    /// Connections that carry a request
    pub(crate) active: IntGauge,
    /// Connections that are kept
    pub(crate) idle: IntGauge,
    _kept: Rc<[KeptSeries]>,
}

impl Metrics {
    pub(crate) fn new(life: &Lifecycle) -> prometheus::Result<Self> {
        let limits = counters(
            "sidekit_proxy_limits_met_total",
            "Times that a bound was met, by the flag that sets it",
            &["limit"],
        )?;
        let metrics = Self {
            server: histograms(
                "http_server_request_duration_seconds",
                "Requests of clients, from their head to the end of their answer",
                &["listener", "http_route", "url_scheme"],
            )?,
            client: histograms(
                "http_client_request_duration_seconds",
                "Requests to upstreams, with the time to connect, to the end of their answer",
                &["server_address", "server_port"],
            )?,
            calls: counters(
                "sidekit_proxy_grpc_calls_total",
                "Calls of gRPC, by the status that the client got",
                &["listener", "http_route", "rpc_response_status_code"],
            )?,
            active: gauges("http_server_active_requests", "Requests in flight", &["listener"])?,
            connections: gauges("sidekit_proxy_connections", "Clients' connections that are open", &["listener"])?,
            accepted: counters(
                "sidekit_proxy_accepted_connections_total",
                "Clients' connections that were accepted",
                &["listener"],
            )?,
            protocols: Protocols::new()?,
            tunnels: Tunnels::new(life)?,
            open_upstream_connections: gauges(
                "http_client_open_connections",
                "Connections to upstreams that are open, active or idle",
                &["server_address", "server_port", "http_connection_state"],
            )?,
            upstream_connections: counters(
                "sidekit_proxy_upstream_connections_total",
                "Connections that requests were sent over: fresh or reused; stale ones were found closed",
                &["upstream", "kind"],
            )?,
            retries: counters(
                "sidekit_proxy_retries_total",
                "Requests that were sent again, each time",
                &["upstream"],
            )?,
            denied_retries: counters(
                "sidekit_proxy_denied_retries_total",
                "Requests that were not sent a second time, because too many others were",
                &["upstream"],
            )?,
            refusals: counters("sidekit_proxy_refusals_total", "Requests that the proxy answered itself", &["reason"])?,
            limits: Limit::ALL.iter().map(|limit| limits.with_label_values(&[limit.name()])).collect(),
            dropped_log_lines: IntCounter::new(
                "sidekit_proxy_access_log_dropped_total",
                "Lines of the access log that were dropped, because stdout was not read in time",
            )?,
            holders: Holders::default(),
        };
        for refusal in Refusal::ALL {
            metrics.refusals.with_label_values(&[refusal.name()]);
        }
        metrics.register(limits, life)?;
        Ok(metrics)
    }

    /// The metrics of an upstream
    pub(crate) fn of_upstream(&self, host: &str, port: &str, upstream: &str) -> Counts {
        // Before the series themselves are made
        let of_address = vec![("server_address", host.to_owned()), ("server_port", port.to_owned())];
        let kept = [self.keep(of_address), self.keep(vec![("upstream", upstream.to_owned())])];
        let of_kind = |kind| self.upstream_connections.with_label_values(&[upstream, kind]);
        let in_state = |state| self.open_upstream_connections.with_label_values(&[host, port, state]);
        Counts {
            durations: Durations::of_client(&self.client, &[host, port]).into(),
            fresh: of_kind("fresh"),
            reused: of_kind("reused"),
            stale: of_kind("stale"),
            retries: self.retries.with_label_values(&[upstream]),
            denied_retries: self.denied_retries.with_label_values(&[upstream]),
            active: in_state("active"),
            idle: in_state("idle"),
            _kept: kept.into(),
        }
    }

    fn register(&self, limits: IntCounterVec, life: &Lifecycle) -> prometheus::Result<()> {
        let collectors: [Box<dyn Collector>; 15] = [
            Box::new(self.server.clone()),
            Box::new(self.client.clone()),
            Box::new(self.calls.clone()),
            Box::new(self.active.clone()),
            Box::new(self.connections.clone()),
            Box::new(self.accepted.clone()),
            Box::new(self.protocols.handshakes.clone()),
            Box::new(self.protocols.requests.clone()),
            Box::new(self.open_upstream_connections.clone()),
            Box::new(self.upstream_connections.clone()),
            Box::new(self.retries.clone()),
            Box::new(self.denied_retries.clone()),
            Box::new(self.refusals.clone()),
            Box::new(limits),
            Box::new(self.dropped_log_lines.clone()),
        ];
        for collector in collectors {
            life.metrics().register(collector)?;
        }
        Ok(())
    }

    /// Keeps the series with these labels until the last keeper has gone.
    fn keep(&self, labels: Labels) -> KeptSeries {
        let metrics = self.clone();
        let remove = move |labels: &Labels| {
            for family in [&metrics.server, &metrics.client] {
                series::remove(family, labels);
            }
            for family in [&metrics.active, &metrics.connections, &metrics.open_upstream_connections] {
                series::remove(family, labels);
            }
            let Self { calls, accepted, upstream_connections, retries, denied_retries, .. } = &metrics;
            let Protocols { handshakes, requests } = &metrics.protocols;
            for family in [calls, accepted, handshakes, requests, upstream_connections, retries, denied_retries] {
                series::remove(family, labels);
            }
            metrics.tunnels.remove(labels);
        };
        Kept::new(&self.holders, labels, Box::new(remove))
    }
}

impl Telemetry {
    pub(crate) fn new(metrics: &Metrics, listener: &str, has_tls: bool, routes: &[&str]) -> Self {
        let of_route =
            |route| Durations::of_server(&metrics.server, &[listener, route, if has_tls { "https" } else { "http" }]);
        let of_listener = || ("listener", listener.to_owned());
        // Before the series themselves are made
        let keep = |route: &&str| metrics.keep(vec![of_listener(), ("http_route", (*route).to_owned())]);
        let mut kept: Vec<_> = routes.iter().map(keep).collect();
        kept.push(metrics.keep(vec![of_listener()]));
        Self {
            metrics: metrics.clone(),
            _kept: kept,
            routes: routes.iter().map(|route| of_route(route)).collect(),
            without_route: of_route(""),
            calls: routes.iter().map(|route| Calls::new(&metrics.calls, listener, route)).collect(),
            calls_without_route: Calls::new(&metrics.calls, listener, ""),
            active: metrics.active.with_label_values(&[listener]),
            connections: metrics.connections.with_label_values(&[listener]),
            accepted: metrics.accepted.with_label_values(&[listener]),
            protocols: metrics.protocols.of_listener(listener, has_tls),
            tunnels: metrics.tunnels.of_listener(listener),
        }
    }

    /// A request was refused.
    pub(crate) fn refused(&self, refusal: Refusal) {
        self.metrics.refusals.with_label_values(&[refusal.name()]).inc();
        if let Some(limit) = Limit::of(refusal) {
            self.met(limit);
        }
    }

    /// A client has sent the head of a request.
    pub(crate) fn asked(&self, version: Version) {
        self.protocols.asked(version);
    }

    /// A handshake has ended, with this version of TLS where it succeeded.
    pub(crate) fn shook_hands(&self, outcome: Outcome, version: Option<&str>) {
        self.protocols.shook_hands(outcome, version);
        if let Some(limit) = Limit::of_handshake(outcome) {
            self.met(limit);
        }
    }

    /// A bound was met.
    pub(crate) fn met(&self, limit: Limit) {
        self.metrics.limits[limit as usize].inc();
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
        let durations = route.map_or(&self.without_route, |route| &self.routes[route]);
        durations.observe(method, Some(status), fault, seconds);
    }

    /// A call of gRPC has ended.
    pub(crate) fn call_ended(&self, route: Option<usize>, status: Status) {
        route.map_or(&self.calls_without_route, |route| &self.calls[route]).ended(status);
    }
}

fn histograms(name: &str, help: &str, first: &[&str]) -> prometheus::Result<HistogramVec> {
    let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
    HistogramVec::new(options, &[first, &LAST_LABELS].concat())
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

fn counters(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), labels)
}
