//! One valid page of metrics for the whole pod: measurements of the own container, and the page of every endpoint in the pod.
//!
//! Invariants: the page is valid in every format, also when a source sends rubbish; a source that fails costs its own series
//! only; no value is older than the scrape that it answers, except where scrapes that arrive together share a round.

mod args;
mod collect;
mod config;
mod debug;
mod exporter;
mod exposition;
mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod helper;
mod lint;
mod merge;
mod metric_list;
mod own_metrics;
mod page_flaws;
mod page_memory;
mod plan;
mod render;
mod round;
mod serve;
mod source;
mod source_log;
mod together;

pub use args::Args;
pub use config::schema;
pub use helper::HELPER;
pub use metric_list::metric_list;
pub use serve::run;
