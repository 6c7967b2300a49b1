//! A pattern of files to follow, and the directories in which they can appear.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use glob::Pattern;

use crate::records::treatment::Treatment;

/// One `--input`
#[derive(Clone)]
pub(crate) struct Input {
    text: String,
    pattern: Pattern,
    pub(crate) treatment: Arc<Treatment>,
}

impl FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("this is not an absolute path: begin it with /".into());
        }
        if text.ends_with('/') {
            return Err("this is a directory: end it with *.log for the files in it".into());
        }
        let pattern = Pattern::new(text).map_err(|error| format!("this is not a pattern: {}", error.msg))?;
        Ok(Self { text: text.to_owned(), pattern, treatment: Arc::default() })
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl Input {
    /// The same files, read in another way
    pub(crate) fn treated(&self, treatment: &Arc<Treatment>) -> Self {
        Self { treatment: treatment.clone(), ..self.clone() }
    }

    /// Whether a file with this path is to be followed.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.pattern.matches_path_with(path, OPTIONS)
    }

    /// As it is written
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The path, where it is one and no pattern
    pub(crate) fn single_path(&self) -> Option<&Path> {
        let is_pattern = self.text.contains(WILDCARDS);
        (!is_pattern).then(|| Path::new(&self.text))
    }

    /// The directory below which all its files are
    pub(crate) fn root(&self) -> &Path {
        let is_root = |path: &&Path| !path.to_string_lossy().contains(WILDCARDS);
        Path::new(&self.text).ancestors().skip(1).find(is_root).unwrap_or(Path::new("/"))
    }

    /// The paths that are there now. A directory that can't be read has none.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        glob::glob_with(&self.text, OPTIONS).into_iter().flatten().filter_map(Result::ok)
    }

    /// The directories that are there now in which a path can appear, and those in which such a directory can. Of one that is
    /// not there, the nearest directory above.
    pub(crate) fn directories(&self, found: &mut BTreeSet<PathBuf>) {
        let mut at = Path::new(&self.text);
        while let Some(parent) = at.parent() {
            let Some(text) = parent.to_str() else { return };
            let directories = glob::glob_with(text, OPTIONS).into_iter().flatten().filter_map(Result::ok);
            found.extend(directories.filter(|path| path.is_dir()));
            if !text.contains(WILDCARDS) {
                found.extend(parent.ancestors().find(|path| path.is_dir()).map(Path::to_path_buf));
                return;
            }
            at = parent;
        }
    }
}

const WILDCARDS: [char; 3] = ['*', '?', '['];
/// As in a shell, but that a leading dot is nothing special.
const OPTIONS: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_what_they_match() {
        let input: Input = "/var/log/*/access.log".parse().unwrap();
        assert!(input.matches(Path::new("/var/log/nginx/access.log")));
        assert!(!input.matches(Path::new("/var/log/a/b/access.log")));
        assert!(!input.matches(Path::new("/var/log/nginx/access.log.1")));
        for text in ["access.log", "/var/log/", "/var/[", ""] {
            assert!(text.parse::<Input>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_root_is_above_the_first_wildcard() {
        let root = |text: &str| text.parse::<Input>().unwrap().root().to_owned();
        assert_eq!(root("/var/log/app.log"), Path::new("/var/log"));
        assert_eq!(root("/var/log/*/app.log"), Path::new("/var/log"));
        assert_eq!(root("/*.log"), Path::new("/"));
    }

    #[test]
    fn directories_of_a_pattern_are_those_that_matter() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/deep")).unwrap();
        let input: Input = root.path().join("*/x.log").to_str().unwrap().parse().unwrap();
        let mut found = BTreeSet::new();
        input.directories(&mut found);
        assert_eq!(found, BTreeSet::from([root.path().into(), root.path().join("a")]));
        let input: Input = root.path().join("b/c/x.log").to_str().unwrap().parse().unwrap();
        let mut found = BTreeSet::new();
        input.directories(&mut found);
        assert_eq!(found, BTreeSet::from([root.path().into()]));
    }
}
