//! The formats of a page.

/// A format that a source sends or a scraper accepts
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PageFormat {
    /// Prometheus text format 0.0.4
    Text,
    /// OpenMetrics text format 1.0.0
    OpenMetrics,
    /// io.prometheus.client.MetricFamily, each with its length before it
    Protobuf,
}

impl PageFormat {
    /// The value of the label `format`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::OpenMetrics => "openmetrics",
            Self::Protobuf => "protobuf",
        }
    }

    /// The content type of an answer.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}
