//! An entry of `scrape:` in a configuration file.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

use super::source_url::{SourceUrl, judged_name};
use crate::merge::Rule;

/// An endpoint whose page is merged
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SourceEntry {
    /// The URL of the page; its options are certificates, logins and headers
    pub(crate) url: SourceUrl,
    /// The value of the label `source`; by default host and port, or the file name of the socket
    #[serde(default, deserialize_with = "name")]
    #[schemars(with = "Option<String>", length(min = 1, max = 64))]
    pub(crate) name: Option<String>,
    /// Relabelling rules for this source's series, with Prometheus' meaning
    #[serde(default, rename = "metric_relabel_configs", deserialize_with = "lifecycle::config::bounded")]
    #[schemars(length(max = 100))]
    pub(crate) rules: Vec<Rule>,
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    name.map(|name| judged_name(&name)).transpose().map_err(D::Error::custom)
}
