//! The flaws of one page, of a source or a textfile, that cost single series and not the page.

use crate::exposition::page::Note;

/// The invalid series of one page, which are left out
#[derive(Debug)]
pub(crate) struct PageFlaws {
    pub(crate) source: String,
    /// At least one note
    pub(crate) notes: Vec<Note>,
}
