//! Inputs that no file has matched yet: a missing mount or a wrong path would otherwise be silent for ever.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use lifecycle::LogThrottle;

use super::finding::Found;
use crate::settings::input::Input;

/// The inputs of this run, by their text
#[derive(Debug, Default)]
pub(crate) struct Unmatched {
    /// A file has matched these, and they need no further look.
    matched: HashSet<String>,
    throttles: HashMap<String, LogThrottle>,
}

impl Unmatched {
    /// Warns at the first scan, and then every 30 s, until a file is among the paths that an input leads to.
    pub(super) fn look(&mut self, input: &Input, found: &Found, now: Instant) {
        let text = input.text();
        if self.matched.contains(text) {
            return;
        }
        if !found.files.is_empty() {
            self.matched.insert(text.to_owned());
            self.throttles.remove(text);
            return;
        }
        if found.excluded > 0 {
            // More files may come. To repeat this would help nothing, because the pattern stays as it is.
            self.matched.insert(text.to_owned());
            tracing::warn!(
                input = text,
                excluded = found.excluded,
                "every file that matches the input is excluded, and none is read: is a pattern of --exclude too wide?"
            );
            return;
        }
        let reason = reason(input, found);
        if self.throttles.entry(text.to_owned()).or_default().is_due(&reason, now) {
            tracing::warn!(input = text, "{reason}");
        }
    }
}

fn reason(input: &Input, found: &Found) -> String {
    match input.single_path() {
        Some(path) if found.others.contains(path) && path.is_dir() => {
            format!("the input is a directory, and its files are not read: write {}/*.log", path.display())
        }
        _ => "no file matches the input: is the volume mounted?".into(),
    }
}
