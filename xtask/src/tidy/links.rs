//! Relative links in Markdown files.

use std::path::Path;

/// Relative links that lead nowhere.
pub(super) fn complaints(path: &Path, text: &str) -> Vec<String> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with(['#', '<']));
    let files = files.map(|target| target.split_once('#').map_or(target, |(file, _)| file));
    files
        .filter(|file| !directory.join(file).exists())
        .map(|file| format!("the link to {file} leads nowhere"))
        .collect()
}
