//! The fuzz targets of a crate, which no build of the workspace compiles: they are workspaces of their own, for cargo-fuzz.

use std::{collections::BTreeSet, fs, path::Path};

use super::files;

/// Entries that a target calls and `src/fuzzing.rs` lacks, entries without a target, and targets that the manifest does not name.
/// The tests of the crate compile and run the entries themselves.
pub(super) fn complaints(name: &str, directory: &Path) -> anyhow::Result<Vec<String>> {
    let targets = directory.join("fuzz/targets");
    if !targets.exists() {
        return Ok(Vec::new());
    }
    let manifest = fs::read_to_string(directory.join("fuzz/Cargo.toml"))?;
    let door = fs::read_to_string(directory.join("src/fuzzing.rs"))?;
    let entries = names_behind("\npub fn ", &door);
    let (mut paths, mut called, mut wrong) = (Vec::new(), BTreeSet::new(), Vec::new());
    files::collect(&targets, &mut paths)?;
    for path in &paths {
        let text = fs::read_to_string(path)?;
        let file = files::name_of(path).unwrap_or_default();
        for entry in names_behind("::fuzzing::", &text) {
            if !entries.contains(&entry) {
                wrong.push(format!("crates/{name}/fuzz/targets/{file}: src/fuzzing.rs has no {entry}"));
            }
            called.insert(entry);
        }
        if !manifest.contains(&format!("\"targets/{file}\"")) {
            wrong.push(format!("crates/{name}/fuzz/Cargo.toml: does not name targets/{file}"));
        }
    }
    let uncalled = entries.difference(&called);
    wrong.extend(uncalled.map(|entry| format!("crates/{name}/src/fuzzing.rs: no fuzz target calls {entry}")));
    Ok(wrong)
}

/// The names of functions behind each `marker`
fn names_behind(marker: &str, text: &str) -> BTreeSet<String> {
    let is_name = |char: &char| char.is_ascii_alphanumeric() || *char == '_';
    text.split(marker).skip(1).map(|rest| rest.chars().take_while(is_name).collect()).collect()
}
