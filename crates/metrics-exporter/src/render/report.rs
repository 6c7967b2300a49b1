//! The report about one page, for `/debug/…` and the log.

use crate::{
    collect::collected::FaultyFile,
    exposition::{page::Note, page_format::PageFormat},
    fetch::source_outcome::SourceOutcome,
    merge::MergeReport,
    page_flaws::PageFlaws,
};

/// The report about one page
#[derive(Debug)]
pub(crate) struct PageReport {
    pub(crate) outcomes: Vec<SourceOutcome>,
    pub(crate) flaws: Vec<PageFlaws>,
    /// Textfiles that gave no page
    pub(crate) faulty_files: Vec<FaultyFile>,
    pub(crate) merged: MergeReport,
    pub(crate) format: PageFormat,
    /// The series that the page's format cannot hold
    pub(crate) left_out: Vec<Note>,
}
