//! ARCHITECTURE.md as a map.

use std::{fs, path::Path};

use anyhow::Context;

use super::files::{crates, name_of};

const LINES: usize = 120;

/// ARCHITECTURE.md is short and names every crate.
pub(super) fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")?;
    let mut wrong = Vec::new();
    if text.lines().count() > LINES {
        wrong.push(format!("ARCHITECTURE.md: over {LINES} lines, which is too long to be read as a whole"));
    }
    let missing = crates(root)?
        .iter()
        .filter_map(|path| name_of(path))
        .filter(|name| !text.contains(&format!("crates/{name}")))
        .collect::<Vec<_>>();
    wrong.extend(missing.into_iter().map(|name| format!("ARCHITECTURE.md: does not name crates/{name}")));
    Ok(wrong)
}
