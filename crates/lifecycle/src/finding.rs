//! One line of a health report.

/// One line of a health report
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) name: &'static str,
    /// Why it fails; `None` is well
    pub(crate) failure: Option<String>,
}
