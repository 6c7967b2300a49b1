//! Names that a walk leaves out.

use std::{
    fmt,
    path::Path,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use glob::{MatchOptions, Pattern};

use crate::trail::Trail;

/// At the top of a volume: the snapshots of a filer, which cannot be changed, and the files that
/// fsck(8) found
const DEFAULTS: [&[u8]; 2] = [b".snapshot", b"lost+found"];

/// `*` stays within a name, `**` does not
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// A pattern of names, or of paths below the root
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    pattern: Pattern,
    /// As it was written
    text: String,
}

/// The names that one walk leaves out
#[derive(Default)]
pub(crate) struct Excludes {
    globs: Vec<Glob>,
    /// The snapshots and finds at the top too
    defaults: bool,
    /// A bit for each pattern that has matched a name, of the first 64
    used: AtomicU64,
}

impl Excludes {
    pub(crate) fn new(globs: Vec<Glob>, defaults: bool) -> Self {
        Self { globs, defaults, used: AtomicU64::default() }
    }

    /// The patterns that have matched no name so far. More than 64 are not counted.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &Glob> {
        let used = self.used.load(Relaxed);
        let is_unused = move |at: usize| used & (1 << at) == 0;
        self.globs.iter().take(64).enumerate().filter(move |(at, _)| is_unused(*at)).map(|(_, glob)| glob)
    }

    /// Whether a name in a directory of this depth is left out, with all below it.
    pub(crate) fn contain(&self, trail: &Trail, depth: usize, name: &[u8]) -> bool {
        let mut is_left_out = self.defaults && depth == 0 && DEFAULTS.contains(&name);
        for (at, _) in self.globs.iter().enumerate().filter(|(_, glob)| glob.matches(trail, name)) {
            is_left_out = true;
            if at < 64 {
                self.used.fetch_or(1 << at, Relaxed);
            }
        }
        is_left_out
    }
}

/// The settings alone, because stamps are made of them
#[expect(clippy::missing_fields_in_debug, reason = "what has matched is no setting")]
impl fmt::Debug for Excludes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Excludes").field("globs", &self.globs).field("defaults", &self.defaults).finish()
    }
}

impl Glob {
    /// The rest of a pattern that begins with the root's own path, which matches nothing.
    pub(crate) fn behind(&self, root: &Path) -> Option<&str> {
        let root = root.to_str().filter(|root| root.starts_with('/') && *root != "/")?;
        let rest = self.text.strip_prefix(root)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
    }

    /// A pattern with a slash, but for one at its end, is one of paths below the root.
    fn matches(&self, trail: &Trail, name: &[u8]) -> bool {
        let is_of_paths = self.text.trim_end_matches('/').contains('/');
        let text = if is_of_paths { trail.relative(name) } else { name.into() };
        // Bytes that are no text become U+FFFD, which `*` and `?` match.
        self.pattern.matches_with(&String::from_utf8_lossy(&text), OPTIONS)
    }
}

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim_matches('/');
        if trimmed.is_empty() {
            return Err("a pattern without a name matches nothing: write it as *.sock or cache/**".into());
        }
        Pattern::new(trimmed)
            .map(|pattern| Self { pattern, text: text.to_owned() })
            .map_err(|error| format!("this is not a pattern: {} at character {}", error.msg, error.pos + 1))
    }
}

/// As it was written
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// In quotes, because stamps are made of lists of them
impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(glob: &str, path: &str) -> bool {
        let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
        let names = directories.split('/').filter(|name| !name.is_empty());
        let trail = names.fold(Trail::root(b"/data"), |trail, name| Trail::below(&trail, name.as_bytes()));
        let excludes = Excludes::new(vec![glob.parse().unwrap()], false);
        excludes.contain(&trail, path.matches('/').count(), name.as_bytes())
    }

    #[test]
    fn names_anywhere_and_paths_from_the_root() {
        assert!(excluded("*.sock", "a/b/app.sock"));
        assert!(excluded(".git", "a/.git") && !excluded(".git", "a/.github"));
        assert!(excluded("a/*.log", "a/x.log") && !excluded("a/*.log", "a/b/x.log"));
        assert!(excluded("/cache", "cache") && !excluded("/cache", "a/cache"));
        assert!(excluded("cache/", "a/cache") && excluded("/a/**", "a/b/c") && excluded("**/cache", "x/y/cache"));
    }

    #[test]
    fn the_defaults_are_left_out_at_the_top_only() {
        let defaults = Excludes::new(Vec::new(), true);
        let root = Trail::root(b"/data");
        assert!(defaults.contain(&root, 0, b".snapshot") && defaults.contain(&root, 0, b"lost+found"));
        assert!(!defaults.contain(&Trail::below(&root, b"a"), 1, b".snapshot"));
        assert!(!Excludes::default().contain(&root, 0, b".snapshot"));
    }

    #[test]
    fn patterns_that_match_nothing_are_known() {
        let excludes = Excludes::new(vec!["*.a".parse().unwrap(), "*.b".parse().unwrap()], true);
        let settings = format!("{excludes:?}");
        let root = Trail::root(b"/data");
        assert!(excludes.contain(&root, 1, b"x.b") && !excludes.contain(&root, 1, b"x.c"));
        let several = ["lost+found", "*.log", "app.log"].map(|glob| glob.parse().unwrap());
        let several = Excludes::new(several.to_vec(), true);
        assert!(several.contain(&root, 0, b"lost+found") && several.contain(&root, 0, b"app.log"));
        assert_eq!(several.unused().count(), 0);
        assert_eq!(excludes.unused().map(|glob| format!("{glob:?}")).collect::<Vec<_>>(), [r#""*.a""#]);
        assert_eq!(format!("{excludes:?}"), settings);
        let glob: Glob = "/data/cache/**".parse().unwrap();
        assert_eq!(glob.behind(Path::new("/data")), Some("cache/**"));
        assert_eq!((glob.behind(Path::new("/dat")), glob.behind(Path::new("/"))), (None, None));
        let glob: Glob = "data/cache".parse().unwrap();
        assert_eq!(glob.behind(Path::new("/data")), None);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        assert_eq!("a[".parse::<Glob>().unwrap_err(), "this is not a pattern: invalid range pattern at character 2");
        assert!("".parse::<Glob>().is_err() && "/".parse::<Glob>().is_err() && "a**b".parse::<Glob>().is_err());
    }
}
