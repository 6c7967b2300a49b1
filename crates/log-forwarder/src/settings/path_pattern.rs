//! A pattern of paths, part by part, as a shell has it: `*`, `?`, `[abc]`, `{one,other}`, and `**`
//! for any depth.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::{Component, Path},
    str::FromStr,
};

use glob::{MatchOptions, Pattern};

/// Alternatives that braces may give; more are hardly meant.
const MOST_ALTERNATIVES: usize = 256;
const WILDCARDS: [char; 3] = ['*', '?', '['];
/// As in a shell, but that a leading dot is nothing special.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// A pattern of paths
#[derive(Clone)]
pub(crate) struct PathPattern {
    text: String,
    /// One for each choice of the braces
    alternatives: Vec<Vec<Part>>,
}

/// A pattern of one name between two slashes
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Name(OsString),
    Pattern(Pattern),
    /// `**`: this directory, and all below it
    AnyDepth,
}

impl FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let texts = alternatives(text)?;
        let alternatives = texts.iter().map(|text| parts(text)).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), alternatives })
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl PathPattern {
    /// As it is written
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The parts below the root directory, for each choice of the braces
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = &[Part]> {
        self.alternatives.iter().map(Vec::as_slice)
    }

    /// Whether a path is one of these.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let names: Vec<_> = names(path).collect();
        self.alternatives.iter().any(|parts| fit(parts, &names))
    }

    /// Whether it has no wildcard.
    pub(crate) fn is_single(&self) -> bool {
        let is_name = |part: &Part| matches!(part, Part::Name(_));
        self.alternatives.len() == 1 && self.alternatives[0].iter().all(is_name)
    }
}

impl Part {
    /// Whether the last name of a path fits. Bytes of a name that are no text count as the
    /// replacement character.
    pub(crate) fn fits(&self, name: &OsStr) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Pattern(pattern) => pattern.matches_with(&name.to_string_lossy(), OPTIONS),
            Self::AnyDepth => true,
        }
    }
}

fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        _ => None,
    })
}

fn fit(parts: &[Part], names: &[&OsStr]) -> bool {
    match parts.split_first() {
        None => names.is_empty(),
        Some((Part::AnyDepth, rest)) => (0..=names.len()).any(|skipped| fit(rest, &names[skipped..])),
        Some((part, rest)) => names.split_first().is_some_and(|(name, below)| part.fits(name) && fit(rest, below)),
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let part = |name: &str| match name {
        "**" => Ok(Part::AnyDepth),
        _ if name.contains(WILDCARDS) => {
            Pattern::new(name).map(Part::Pattern).map_err(|error| format!("this is not a pattern: {}", error.msg))
        }
        _ => Ok(Part::Name(name.into())),
    };
    text.split('/').filter(|name| !name.is_empty() && *name != ".").map(part).collect()
}

/// The texts that the braces of a text stand for. Braces without a comma stand for themselves.
fn alternatives(text: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(text) = open.pop() {
        if done.len() + open.len() >= MOST_ALTERNATIVES {
            return Err(format!("its braces stand for more than {MOST_ALTERNATIVES} patterns: write fewer"));
        }
        let Some((start, end)) = innermost(&text) else {
            done.push(text);
            continue;
        };
        let (before, after) = (&text[..start], &text[end + 1..]);
        // The last one is pushed first, so that they come out in the order in which they are
        // written.
        open.extend(text[start + 1..end].split(',').rev().map(|choice| format!("{before}{choice}{after}")));
    }
    Ok(done)
}

/// The first pair of braces that has a comma and no other pair within
fn innermost(text: &str) -> Option<(usize, usize)> {
    let mut start = None;
    for (at, character) in text.char_indices() {
        match (character, start) {
            ('{', _) => start = Some(at),
            ('}', Some(begun)) if text[begun..at].contains(',') => return Some((begun, at)),
            ('}', _) => start = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        pattern.parse::<PathPattern>().unwrap().matches(Path::new(path))
    }

    #[test]
    fn a_pattern_stands_for_the_paths_that_a_shell_would_name() {
        assert!(matches("/var/log/*/access.log", "/var/log/nginx/access.log"));
        assert!(!matches("/var/log/*/access.log", "/var/log/a/b/access.log"));
        assert!(matches("/var/log/**/*.log", "/var/log/a.log") && matches("/var/log/**/*.log", "/var/log/a/b/c.log"));
        assert!(!matches("/var/log/**/*.log", "/var/a.log"));
        assert!(matches("/a[[]1]/x.log", "/a[1]/x.log"));
        assert!(matches("/logs/*.log", "/logs/.hidden.log"));
    }

    #[test]
    fn braces_stand_for_their_choices() {
        for path in ["/logs/app.log", "/logs/app.err", "/logs/web.log", "/logs/web.err"] {
            assert!(matches("/logs/{app,web}.{log,err}", path), "{path}");
        }
        assert!(!matches("/logs/{app,web}.log", "/logs/db.log"));
        assert!(matches("/logs/{a,b{1,2}}.log", "/logs/b2.log") && matches("/logs/{a,b{1,2}}.log", "/logs/a.log"));
        assert!(matches("/logs/curly{a}.log", "/logs/curly{a}.log") && matches("/logs/{.log", "/logs/{.log"));
        let many = "{a,b,c,d}".repeat(5);
        assert!(many.parse::<PathPattern>().unwrap_err().contains("more than 256 patterns"));
    }

    #[test]
    fn a_name_that_is_no_text_fits_a_wildcard() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(OsStr::from_bytes(b"/logs/bad\xff.log"));
        assert!("/logs/*.log".parse::<PathPattern>().unwrap().matches(path));
    }
}
