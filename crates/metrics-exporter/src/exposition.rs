//! Pages of metrics: the model, the parsers and encoders of each format, compression, and content negotiation.

pub(crate) mod compression;
pub(crate) mod encode;
pub(crate) mod example;
mod metrics_proto;
pub(crate) mod model;
pub(crate) mod names;
pub(crate) mod negotiation;
pub(crate) mod notes;
pub(crate) mod openmetrics_rules;
pub(crate) mod page;
pub(crate) mod page_format;
pub(crate) mod parse;

#[cfg(test)]
mod tests;
