//! A metric of the exporter: the name, type, unit, help and labels that both the page and the README's list show.

use crate::exposition::model::Kind;

/// A metric: the common part of its series
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// The name; that of a counter ends with `_total`, as in text format 0.0.4
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The base unit of the values, or empty for a plain count
    pub(crate) unit: &'static str,
    /// One sentence without a full stop
    pub(crate) help: &'static str,
    /// The names of the labels
    pub(crate) labels: &'static [&'static str],
}

impl Metric {
    /// The unit for a page, which may state it only where the name without `_total` ends with it (OpenMetrics 1.0); otherwise
    /// empty.
    pub(crate) fn unit_of_name(&self) -> &'static str {
        let stem = self.name.strip_suffix("_total").unwrap_or(self.name);
        let is_in_name = stem.strip_suffix(self.unit).is_some_and(|rest| rest.ends_with('_'));
        if is_in_name { self.unit } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_states_the_unit_that_the_name_ends_with() {
        let metric = |name, unit| Metric { name, kind: Kind::Counter, unit, help: "", labels: &[] };
        assert_eq!(metric("container_cpu_usage_seconds_total", "seconds").unit_of_name(), "seconds");
        assert_eq!(metric("container_memory_rss", "bytes").unit_of_name(), "");
        assert_eq!(metric("kilobytes", "bytes").unit_of_name(), "");
        assert_eq!(metric("container_threads", "").unit_of_name(), "");
    }
}
