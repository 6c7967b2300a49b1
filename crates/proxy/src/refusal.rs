//! Why the proxy answers a request itself, and with what.
//!
//! Long because each reason stands in five places.

pub(crate) mod fault;

use std::time::SystemTime;

use http::{HeaderName, StatusCode};

/// The header that names the proxy and its reason (RFC 9209)
pub(crate) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// A reason for an answer of the proxy's own. The same name stands in the answer, the access log and the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// HTTP/1.1 without `Host` (RFC 9112, section 3.2)
    NoHost,
    /// More than one `Host` line
    SeveralHosts,
    /// `Host` is no host with an optional port
    BadHost,
    /// `Host` differs from the authority of an absolute target
    HostDiffers,
    /// `Transfer-Encoding` is not exactly `chunked`
    BadTransferEncoding,
    /// `Transfer-Encoding` beside `Content-Length`
    LengthBesideChunked,
    /// A line of the head ends in LF without CR
    BareLineFeed,
    /// A header's name becomes one that the proxy sets when an app reads `_` as `-`
    MimickedHeader,
    /// TRACE, which shows an app's headers to scripts
    Trace,
    /// CONNECT: this is no forward proxy
    Connect,
    /// The head asks for another protocol in a way that no server understands (RFC 9110, section 7.8; RFC 6455, section 4.2.1)
    BadUpgrade,
    /// A body stands before the change to another protocol
    UpgradeWithBody,
    /// An extended CONNECT for another protocol than WebSocket (RFC 8441)
    UnknownProtocol,
    /// The target has a byte that is not ASCII, or is neither a path nor an absolute URL
    BadTarget,
    /// The path has several spellings, and routes match by path
    AmbiguousPath,
    /// The request has passed through too many proxies of this name: a route leads back here (RFC 9110, section 7.6.3)
    Loop,
    /// HTTP without TLS, where the listener speaks TLS
    PlainHttp,
    /// The head cannot be read at all
    BadHead,
    /// The frames of HTTP/2 break its rules, so that the connection ends
    BadFrames,
    /// Too many frames of HTTP/2 served no request, so that the connection ends
    Flood,
    /// The head has too many bytes or lines
    HeadTooLarge,
    /// The head did not arrive in time
    SlowHead,
    /// No route has this host and path
    NoRoute,
    /// The body is longer than allowed
    BodyTooLarge,
    /// The body stalled, or came too slowly
    SlowBody,
    /// The body is not framed as its head says
    BadBody,
    /// Too many requests are in flight
    TooManyRequests,
    /// The container's memory limit is near
    Memory,
    /// The app's port refuses connections, and nothing of the request was sent
    AppDown,
    /// A file of the login that the route's requests get is not there, or holds none
    NoLogin,
    /// The upstream's port refuses connections
    UpstreamRefuses,
    /// The upstream's name has no address, or cannot be looked up
    UpstreamUnknown,
    /// No connection to the upstream within the time for it
    UpstreamUnreachable,
    /// The upstream closed or reset before its answer began
    UpstreamClosed,
    /// The upstream's answer is not HTTP, is framed in two ways, or changes to a protocol that was not asked for
    UpstreamBroken,
    /// No answer of the upstream within the time for it
    UpstreamSilent,
    /// `grpc-timeout` is no time, or stands there more than once
    BadGrpcTimeout,
    /// The time is over that `grpc-timeout` gives a call
    GrpcDeadline,
    /// The time of a drain is over, and a call of gRPC is not
    Stopping,
    /// A call of gRPC to an upstream that speaks HTTP/1.1 only
    GrpcNeedsHttp2,
    /// All connections to the upstream carry as many requests as it allows
    UpstreamFull,
    /// The upstream's certificate is not trusted, not for its name, or not valid now
    UpstreamCertificate,
    /// The upstream ended the TLS handshake with an alert
    UpstreamAlert,
    /// The TLS handshake failed in another way: the upstream may not speak TLS
    UpstreamTls,
    /// A file of the upstream's TLS options cannot be used
    NoTlsFiles,
}

impl Refusal {
    /// All of them, for the metric and for the README's table
    pub(crate) const ALL: [Self; 45] = [
        Self::NoHost,
        Self::SeveralHosts,
        Self::BadHost,
        Self::HostDiffers,
        Self::BadTransferEncoding,
        Self::LengthBesideChunked,
        Self::BareLineFeed,
        Self::MimickedHeader,
        Self::Trace,
        Self::Connect,
        Self::BadUpgrade,
        Self::UpgradeWithBody,
        Self::UnknownProtocol,
        Self::BadTarget,
        Self::AmbiguousPath,
        Self::Loop,
        Self::PlainHttp,
        Self::BadHead,
        Self::BadFrames,
        Self::Flood,
        Self::HeadTooLarge,
        Self::SlowHead,
        Self::NoRoute,
        Self::BodyTooLarge,
        Self::SlowBody,
        Self::BadBody,
        Self::TooManyRequests,
        Self::Memory,
        Self::AppDown,
        Self::NoLogin,
        Self::UpstreamRefuses,
        Self::UpstreamUnknown,
        Self::UpstreamUnreachable,
        Self::UpstreamClosed,
        Self::UpstreamBroken,
        Self::UpstreamSilent,
        Self::BadGrpcTimeout,
        Self::GrpcDeadline,
        Self::Stopping,
        Self::GrpcNeedsHttp2,
        Self::UpstreamFull,
        Self::UpstreamCertificate,
        Self::UpstreamAlert,
        Self::UpstreamTls,
        Self::NoTlsFiles,
    ];

    /// Its name
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoHost => "no-host",
            Self::SeveralHosts => "several-hosts",
            Self::BadHost => "bad-host",
            Self::HostDiffers => "host-differs",
            Self::BadTransferEncoding => "bad-transfer-encoding",
            Self::LengthBesideChunked => "length-beside-chunked",
            Self::BareLineFeed => "bare-line-feed",
            Self::MimickedHeader => "mimicked-header",
            Self::Trace => "trace",
            Self::Connect => "connect",
            Self::BadUpgrade => "bad-upgrade",
            Self::UpgradeWithBody => "upgrade-with-body",
            Self::UnknownProtocol => "unknown-protocol",
            Self::BadTarget => "bad-target",
            Self::AmbiguousPath => "ambiguous-path",
            Self::Loop => "loop",
            Self::PlainHttp => "plain-http",
            Self::BadHead => "bad-head",
            Self::BadFrames => "bad-frames",
            Self::Flood => "flood",
            Self::HeadTooLarge => "head-too-large",
            Self::SlowHead => "slow-head",
            Self::NoRoute => "no-route",
            Self::BodyTooLarge => "body-too-large",
            Self::SlowBody => "slow-body",
            Self::BadBody => "bad-body",
            Self::TooManyRequests => "too-many-requests",
            Self::Memory => "memory",
            Self::AppDown => "app-down",
            Self::NoLogin => "no-login",
            Self::UpstreamRefuses => "upstream-refuses",
            Self::UpstreamUnknown => "upstream-unknown",
            Self::UpstreamUnreachable => "upstream-unreachable",
            Self::UpstreamClosed => "upstream-closed",
            Self::UpstreamBroken => "upstream-broken",
            Self::UpstreamSilent => "upstream-silent",
            Self::BadGrpcTimeout => "bad-grpc-timeout",
            Self::GrpcDeadline => "grpc-deadline",
            Self::Stopping => "stopping",
            Self::GrpcNeedsHttp2 => "grpc-needs-http2",
            Self::UpstreamFull => "upstream-full",
            Self::UpstreamCertificate => "upstream-certificate",
            Self::UpstreamAlert => "upstream-alert",
            Self::UpstreamTls => "upstream-tls",
            Self::NoTlsFiles => "no-tls-files",
        }
    }

    /// The status (RFC 9110, section 15)
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::SlowHead | Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::UnknownProtocol => StatusCode::NOT_IMPLEMENTED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests
            | Self::Memory
            | Self::AppDown
            | Self::NoLogin
            | Self::NoTlsFiles
            | Self::Stopping
            | Self::UpstreamFull => StatusCode::SERVICE_UNAVAILABLE,
            Self::Loop
            | Self::UpstreamRefuses
            | Self::UpstreamUnknown
            | Self::UpstreamClosed
            | Self::UpstreamBroken
            | Self::GrpcNeedsHttp2
            | Self::UpstreamCertificate
            | Self::UpstreamAlert
            | Self::UpstreamTls => StatusCode::BAD_GATEWAY,
            Self::UpstreamUnreachable | Self::UpstreamSilent | Self::GrpcDeadline => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The first failure of a request that was sent, if a closed port then stood in the way of the second attempt.
    pub(crate) fn unless_app_down(self, first: Self) -> Self {
        if self == Self::AppDown { first } else { self }
    }

    /// The value of `Proxy-Status` (RFC 9209)
    pub(crate) fn proxy_status(self) -> String {
        format!("sidekit-proxy; error={}; details=\"{}\"", self.error_type(), self.name())
    }

    /// The body of the answer
    pub(crate) fn text(self) -> String {
        let remedy = if self == Self::PlainHttp { ": this port speaks TLS, so write https://" } else { "" };
        format!("{}: {}{remedy}\n", self.status(), self.name())
    }

    /// The whole answer as bytes, for a request that hyper could not read, and that ends its connection
    pub(crate) fn last_answer(self) -> String {
        let (status, text, proxy_status) = (self.status(), self.text(), self.proxy_status());
        let retry_after = if status == StatusCode::SERVICE_UNAVAILABLE { "retry-after: 1\r\n" } else { "" };
        format!(
            "HTTP/1.1 {status}\r\nproxy-status: {proxy_status}\r\n{retry_after}content-type: text/plain\r\nconnection: close\r\n\
             content-length: {}\r\ndate: {}\r\n\r\n{text}",
            text.len(),
            httpdate::fmt_http_date(SystemTime::now()),
        )
    }

    /// The error type of `Proxy-Status` (RFC 9209, section 2.3)
    fn error_type(self) -> &'static str {
        match self {
            Self::NoRoute => "destination_not_found",
            Self::TooManyRequests | Self::Memory | Self::Stopping => "http_request_denied",
            Self::Loop => "proxy_loop_detected",
            Self::NoLogin | Self::NoTlsFiles | Self::GrpcNeedsHttp2 => "proxy_configuration_error",
            Self::AppDown | Self::UpstreamRefuses => "connection_refused",
            Self::UpstreamUnknown => "dns_error",
            Self::UpstreamUnreachable => "connection_timeout",
            Self::UpstreamClosed => "connection_terminated",
            Self::UpstreamBroken => "http_protocol_error",
            Self::UpstreamSilent | Self::GrpcDeadline => "http_response_timeout",
            Self::UpstreamFull => "connection_limit_reached",
            Self::UpstreamCertificate => "tls_certificate_error",
            Self::UpstreamAlert => "tls_alert_received",
            Self::UpstreamTls => "tls_protocol_error",
            _ => "http_request_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        let names: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.name()).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
        for refusal in Refusal::ALL {
            assert!(refusal.status().is_client_error() || refusal.status().is_server_error());
        }
    }
}
