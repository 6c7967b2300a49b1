//! The helper's own metrics, as Prometheus reads them.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounterVec, IntGauge, Opts, Registry, TextEncoder, proto::MetricType};

use crate::process_metrics;

/// The content type of the text format, version 0.0.4
pub(crate) const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// A metric that all sidecars have
#[derive(Debug)]
pub struct SharedMetric {
    /// The name
    pub name: String,
    /// Gauge or counter, as a `# TYPE` line says it
    pub kind: &'static str,
    /// One sentence without a full stop
    pub help: String,
    /// The names of the labels
    pub labels: Vec<String>,
}

/// The metrics that lifecycle gives to each sidecar, for documentation. `sidekit_config_reloads_total` needs a configuration
/// file.
///
/// # Errors
/// When two metrics have one name.
pub fn shared_metrics() -> prometheus::Result<Vec<SharedMetric>> {
    let registry = Registry::new();
    register_build_info("", "", &registry)?;
    register_reloads("", &registry)?;
    process_metrics::register(&registry)?;
    let families = registry.gather();
    Ok(families
        .iter()
        .map(|family| SharedMetric {
            name: family.name().into(),
            kind: if family.get_field_type() == MetricType::COUNTER { "counter" } else { "gauge" },
            help: family.help().into(),
            labels: family.get_metric()[0].get_label().iter().map(|label| label.name().into()).collect(),
        })
        .collect())
}

/// Registers the helper's name and version.
pub(crate) fn register_build_info(helper: &str, version: &str, registry: &Registry) -> prometheus::Result<()> {
    let about = Opts::new("sidekit_build_info", "The helper and its version; always 1")
        .const_label("helper", helper)
        .const_label("version", version);
    let build = IntGauge::with_opts(about)?;
    build.set(1);
    registry.register(Box::new(build))
}

/// Registers the counters of the changes of one file; their label tells several files apart.
pub(crate) fn register_reloads(file: &str, registry: &Registry) -> prometheus::Result<IntCounterVec> {
    let about = Opts::new("sidekit_config_reloads_total", "Changes of a configuration file, by result");
    let results = IntCounterVec::new(about.const_label("file", file), &["result"])?;
    for result in ["accepted", "refused"] {
        results.with_label_values(&[result]);
    }
    registry.register(Box::new(results.clone()))?;
    Ok(results)
}

/// Writes metrics of its own to the page, in the text format.
type Writer = Box<dyn Fn(&mut String) + Send + Sync>;

/// Writers of the metrics that no registry holds
#[derive(Clone, Default)]
pub(crate) struct Writers(Arc<Mutex<Vec<Writer>>>);

impl Writers {
    pub(crate) fn add(&self, writer: Writer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(writer);
    }
}

/// All metrics as text.
pub(crate) fn render(registry: &Registry, writers: &Writers) -> prometheus::Result<String> {
    let mut page = TextEncoder::new().encode_to_string(&registry.gather())?;
    writers.0.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|write| write(&mut page));
    Ok(page)
}
