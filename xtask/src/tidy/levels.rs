//! A crate with many files on one level gets folders named for the stages of its data.

use std::collections::BTreeMap;

use super::{exceptions::Exceptions, modules::Source};

/// Files of one folder: about thirty can still be read as a list.
const MOST: usize = 35;

/// The folders of a crate that hold too many files, and the exceptions that no longer apply.
pub(super) fn complaints(name: &str, sources: &[Source], exceptions: &Exceptions) -> Vec<String> {
    let mut files = BTreeMap::<_, usize>::new();
    for source in sources {
        *files.entry(source.path.parent()).or_default() += 1;
    }
    let full: Vec<_> = files.into_iter().filter(|(_, count)| *count > MOST).collect();
    match (full.is_empty(), exceptions.levels.contains(&name)) {
        (true, true) => {
            vec![format!("{name}: no folder is too full any more: take it out of xtask/src/tidy/exceptions.rs")]
        }
        (false, false) => full
            .into_iter()
            .filter_map(|(folder, count)| {
                let folder = folder?.display();
                Some(format!(
                    "{name}: src/{folder} has {count} files: over {MOST} get folders, named for the stages of the data"
                ))
            })
            .collect(),
        _ => Vec::new(),
    }
}
