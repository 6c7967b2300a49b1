//! Faults that may stay until their crate is next worked on. An exception that no longer applies is itself a fault.

/// The faults that tidy passes over
pub(super) struct Exceptions {
    /// Modules that form circles, by crate
    pub(super) circles: &'static [(&'static str, &'static [&'static str])],
    /// Impls outside their type's file: crate, file below `src`, type
    pub(super) impls: &'static [(&'static str, &'static str, &'static str)],
    /// Crates with too many files in one folder
    pub(super) levels: &'static [&'static str],
}

/// The faults that are there today
pub(super) const KNOWN: Exceptions = Exceptions { circles: &[], impls: &[], levels: &["lifecycle"] };
