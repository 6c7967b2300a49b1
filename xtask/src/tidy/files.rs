//! The files of the tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Directories that hold no source of this project
const SKIPPED: [&str; 4] = ["target", ".git", "docs", "node_modules"];

/// Adds all files below a directory.
pub(super) fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let entry = entry?;
        let skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
        match entry.file_type()? {
            kind if kind.is_dir() && !skipped => collect(&entry.path(), files)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// The directory of every crate.
pub(super) fn crates(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root.join("crates")).context("cannot read crates/")?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// The last part of a path
pub(super) fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}
