//! One line of a health report.

use std::borrow::Cow;

/// The name of a check: a constant, or from a configuration. It must hold no secret.
pub(crate) type Name = Cow<'static, str>;

/// One line of a health report
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) name: Name,
    pub(crate) condition: Condition,
}

/// How it is with the subject of a check
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Well,
    /// Well, and there is more to say
    WellWith(String),
    /// Why it fails
    Failed(String),
}

impl Finding {
    pub(crate) fn is_well(&self) -> bool {
        !matches!(self.condition, Condition::Failed(_))
    }

    /// As the Kubernetes API server prints it.
    pub(crate) fn line(&self) -> String {
        let name = &self.name;
        match &self.condition {
            Condition::Well => format!("[+]{name} ok\n"),
            Condition::WellWith(words) => format!("[+]{name} ok: {words}\n"),
            Condition::Failed(reason) => format!("[-]{name} failed: {reason}\n"),
        }
    }
}

impl From<Option<String>> for Condition {
    /// `None` is well.
    fn from(failure: Option<String>) -> Self {
        failure.map_or(Self::Well, Self::Failed)
    }
}
