//! The statuses of gRPC (doc/statuscodes.md), and which of them stands for a failure that the proxy meets.

use std::error::Error;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::refusal::Refusal;

/// The header or trailer
pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The end of a call
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
    /// A number that gRPC does not know, or no number
    Other,
    /// The answer ended without a status
    None,
}

impl Status {
    /// All of them; those of gRPC stand at their numbers
    pub(crate) const ALL: [Self; 19] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
        Self::Other,
        Self::None,
    ];

    /// Its name in metrics and logs: gRPC's own, `_OTHER`, or nothing
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Other => "_OTHER",
            Self::None => "",
        }
    }

    /// The status in trailers, or in the head of an answer that has nothing else
    pub(crate) fn of(trailers: &HeaderMap) -> Self {
        let Some(value) = trailers.get(STATUS) else { return Self::None };
        let number = str::from_utf8(value.as_bytes()).ok().and_then(|text| text.parse::<usize>().ok());
        number
            .and_then(|number| Self::ALL[..=Self::Unauthenticated as usize].get(number))
            .copied()
            .unwrap_or(Self::Other)
    }

    /// Its number on the wire
    pub(crate) fn value(self) -> HeaderValue {
        HeaderValue::from(self as u16)
    }

    /// Whether the server is to blame, as OpenTelemetry's conventions for gRPC servers have it. Without a status, a client takes it
    /// for UNKNOWN.
    pub(crate) fn is_servers_fault(self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::DeadlineExceeded
                | Self::Unimplemented
                | Self::Internal
                | Self::Unavailable
                | Self::DataLoss
                | Self::Other
                | Self::None
        )
    }

    /// The status of a call that the proxy refuses. Where no row of doc/statuscodes.md fits, it is the one that a client
    /// makes of the refusal's HTTP status.
    pub(crate) fn of_refusal(refusal: Refusal) -> Self {
        match refusal {
            // "Sent or received message was larger than configured limit"; metadata is bounded in the same way.
            Refusal::BodyTooLarge | Refusal::HeadTooLarge => Self::ResourceExhausted,
            // "… either when the client is unable to send the request to the server or when the server fails to respond in time"
            Refusal::SlowHead | Refusal::SlowBody | Refusal::UpstreamSilent | Refusal::GrpcDeadline => {
                Self::DeadlineExceeded
            }
            // A second attempt would not help, so it must be no UNAVAILABLE, which clients retry.
            Refusal::Loop | Refusal::UpstreamBroken => Self::Internal,
            // "Method not found at server": here no server of gRPC is found
            Refusal::GrpcNeedsHttp2 | Refusal::UnknownProtocol => Self::Unimplemented,
            other => Self::of_http(other.status()),
        }
    }

    /// "HTTP to gRPC Status Code Mapping" (doc/http-grpc-status-mapping.md)
    fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 431 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            429 | 502 | 503 | 504 => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// The status of a call that broke off because of this error: a reset, or the end of the connection
    pub(crate) fn of_error(error: &(dyn Error + 'static)) -> Self {
        let mut errors = std::iter::successors(Some(error), |error| (*error).source());
        let broken = errors.find_map(|error| error.downcast_ref::<h2::Error>());
        match broken.and_then(h2::Error::reason).zip(broken) {
            Some((reason, error)) if error.is_reset() => Self::of_reset(reason),
            _ => Self::Unavailable,
        }
    }

    /// The status of a call whose stream was reset, by the table of PROTOCOL-HTTP2, section Errors
    fn of_reset(reason: h2::Reason) -> Self {
        match reason {
            h2::Reason::REFUSED_STREAM => Self::Unavailable,
            h2::Reason::CANCEL => Self::Cancelled,
            h2::Reason::ENHANCE_YOUR_CALM => Self::ResourceExhausted,
            h2::Reason::INADEQUATE_SECURITY => Self::PermissionDenied,
            _ => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn statuses_stand_at_their_numbers() {
        let names: BTreeSet<_> = Status::ALL.iter().map(|status| status.name()).collect();
        assert_eq!(names.len(), Status::ALL.len());
        for (number, status) in Status::ALL[..17].iter().enumerate() {
            assert_eq!(Status::of(&HeaderMap::from_iter([(STATUS, status.value())])), *status);
            assert_eq!(status.value(), number.to_string());
        }
        assert_eq!((Status::Unavailable.value(), Status::Unauthenticated.value()), ("14".parse().unwrap(), 16.into()));
        for value in ["17", "-1", "x", "", "99999999999999999999"] {
            let trailers = HeaderMap::from_iter([(STATUS, HeaderValue::from_static(value))]);
            assert_eq!(Status::of(&trailers), Status::Other, "{value}");
        }
        assert_eq!(Status::of(&HeaderMap::new()), Status::None);
    }

    #[test]
    fn every_refusal_has_a_status_of_its_own_kind() {
        for refusal in Refusal::ALL {
            let status = Status::of_refusal(refusal);
            assert!(!matches!(status, Status::Ok | Status::Unknown | Status::Other | Status::None), "{refusal:?}");
        }
        for (refusal, status) in [
            (Refusal::BadHost, Status::Internal),
            (Refusal::NoRoute, Status::Unimplemented),
            (Refusal::BodyTooLarge, Status::ResourceExhausted),
            (Refusal::TooManyRequests, Status::Unavailable),
            (Refusal::UpstreamSilent, Status::DeadlineExceeded),
            (Refusal::UpstreamClosed, Status::Unavailable),
            (Refusal::Loop, Status::Internal),
        ] {
            assert_eq!(Status::of_refusal(refusal), status);
        }
    }

    #[test]
    fn resets_have_the_statuses_of_the_protocol() {
        for (reason, status) in [
            (h2::Reason::NO_ERROR, Status::Internal),
            (h2::Reason::REFUSED_STREAM, Status::Unavailable),
            (h2::Reason::CANCEL, Status::Cancelled),
            (h2::Reason::ENHANCE_YOUR_CALM, Status::ResourceExhausted),
            (h2::Reason::from(1234), Status::Internal),
        ] {
            assert_eq!(Status::of_reset(reason), status);
        }
    }
}
