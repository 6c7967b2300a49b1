//! A source: an endpoint whose page is merged, its name and its relabelling rules.

pub(crate) mod entry;
pub(crate) mod source_url;

use endpoint::HttpClient;

use crate::merge::Rule;

/// The exporter's own name among the sources
pub(crate) const OWN_SOURCE: &str = "metrics-exporter";

/// An endpoint of the pod
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Unique; the value of the label `source`
    pub(crate) name: String,
    pub(crate) client: HttpClient,
    /// The rules of this source, then those for all sources
    pub(crate) rules: Vec<Rule>,
}
