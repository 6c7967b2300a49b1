//! A pattern of files to follow, and how they are read.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

pub(crate) use super::path_pattern::Part;
use super::{
    path_pattern::PathPattern,
    selection::{Selection, StartAt},
};
use crate::records::treatment::Treatment;

/// One `--input`
#[derive(Clone)]
pub(crate) struct Input {
    pattern: PathPattern,
    pub(crate) treatment: Arc<Treatment>,
    pub(crate) selection: Arc<Selection>,
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
        Ok(Self { pattern: text.parse()?, treatment: Arc::default(), selection: Arc::default() })
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.pattern.fmt(f)
    }
}

impl Input {
    /// The same files, read in another way
    pub(crate) fn treated(&self, treatment: &Arc<Treatment>) -> Self {
        Self { treatment: treatment.clone(), ..self.clone() }
    }

    /// The same pattern, of which other files are read
    pub(crate) fn selected(&self, selection: &Arc<Selection>) -> Self {
        Self { selection: selection.clone(), ..self.clone() }
    }

    /// Whether a file with this path is to be followed.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.pattern.matches(path) && !self.selection.excludes(path)
    }

    /// Whether a file with this path may be one that was rotated away from a path of this input.
    pub(crate) fn may_rotate(&self, origin: &Path, path: &Path) -> bool {
        self.matches(origin) && !self.selection.excludes(path)
    }

    /// Whether files that are there already are read from their end.
    pub(crate) fn starts_at_end(&self) -> bool {
        self.selection.start_at == StartAt::End
    }

    /// As it is written
    pub(crate) fn text(&self) -> &str {
        self.pattern.text()
    }

    /// The parts of its paths, for each choice of its braces
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = &[Part]> {
        self.pattern.alternatives()
    }

    /// The path, where it is one and no pattern
    pub(crate) fn single_path(&self) -> Option<&Path> {
        self.pattern.is_single().then(|| Path::new(self.text()))
    }

    /// The directory below which all its files are
    pub(crate) fn root(&self) -> PathBuf {
        let root_of = |parts: &[Part]| {
            let (_, directories) = parts.split_last().unwrap_or((&Part::AnyDepth, &[]));
            let mut root = PathBuf::from("/");
            for part in directories {
                let Part::Name(name) = part else { break };
                root.push(name);
            }
            root
        };
        let mut roots = self.alternatives().map(root_of);
        let first = roots.next().unwrap_or_default();
        roots.fold(first, |common, root| {
            let same = common.components().zip(root.components()).take_while(|(one, other)| one == other);
            same.map(|(component, _)| component).collect()
        })
    }
}

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
        let root = |text: &str| text.parse::<Input>().unwrap().root();
        assert_eq!(root("/var/log/app.log"), Path::new("/var/log"));
        assert_eq!(root("/var/log/*/app.log"), Path::new("/var/log"));
        assert_eq!(root("/*.log"), Path::new("/"));
        assert_eq!(root("/var/{log,run}/*.log"), Path::new("/var"));
    }
}
