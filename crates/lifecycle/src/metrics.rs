//! The helper's own metrics, as Prometheus reads them.

use prometheus::{IntGauge, Opts, Registry, TextEncoder};

/// The content type of the text format, version 0.0.4
pub(crate) const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Registers the helper's name and version.
pub(crate) fn register_build_info(helper: &str, version: &str, registry: &Registry) -> prometheus::Result<()> {
    let about = Opts::new("sidekit_build_info", "The helper and its version; always 1")
        .const_label("helper", helper)
        .const_label("version", version);
    let build = IntGauge::with_opts(about)?;
    build.set(1);
    registry.register(Box::new(build))
}

/// All metrics as text.
pub(crate) fn render(registry: &Registry) -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&registry.gather())
}
