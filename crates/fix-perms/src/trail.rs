//! The way from a root to an entry, for messages and for patterns. No system call ever sees it.

use std::{fmt::Write, os::unix::ffi::OsStrExt, path::Path, sync::Arc};

/// Characters of a path in a message
const PRINTED_LIMIT: usize = 300;

/// The names from the root of a walk down to a directory
#[derive(Debug)]
pub(crate) struct Trail {
    parent: Option<Arc<Trail>>,
    name: Box<[u8]>,
}

impl Trail {
    /// The root, as the user names it
    pub(crate) fn root(path: &[u8]) -> Arc<Self> {
        Self { parent: None, name: path.into() }.into()
    }

    /// A name below a directory
    pub(crate) fn below(parent: &Arc<Self>, name: &[u8]) -> Arc<Self> {
        Self { parent: Some(parent.clone()), name: name.into() }.into()
    }

    /// The last name
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// The path for people
    pub(crate) fn printed(&self) -> String {
        cut(&self.whole())
    }

    /// The path on one line, however long it is
    pub(crate) fn whole(&self) -> String {
        let mut names = vec![&*self.name];
        let mut trail = self;
        while let Some(parent) = &trail.parent {
            names.push(&parent.name);
            trail = parent;
        }
        names.reverse();
        printable(&join(&names))
    }

    /// The path of a name in this directory, from below the root on, for patterns
    pub(crate) fn relative(&self, name: &[u8]) -> Vec<u8> {
        let mut names = vec![name];
        let mut trail = self;
        while let Some(parent) = &trail.parent {
            names.push(&trail.name);
            trail = parent;
        }
        names.reverse();
        join(&names)
    }
}

/// Not by recursion, as the compiler would: trees can be deeper than stacks.
impl Drop for Trail {
    fn drop(&mut self) {
        let mut parent = self.parent.take();
        while let Some(mut trail) = parent.and_then(Arc::into_inner) {
            parent = trail.parent.take();
        }
    }
}

fn join(names: &[&[u8]]) -> Vec<u8> {
    let mut path = Vec::new();
    for name in names {
        if !path.is_empty() && !path.ends_with(b"/") {
            path.push(b'/');
        }
        path.extend_from_slice(name);
    }
    path
}

/// A path of the user's, for people
pub(crate) fn printed(path: &Path) -> String {
    cut(&whole(path))
}

/// A path of the user's on one line, however long it is
pub(crate) fn whole(path: &Path) -> String {
    printable(path.as_os_str().as_bytes())
}

/// A path on one line of a terminal: bytes and characters that are no printable text are escaped.
fn printable(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' || is_of_layout(character) {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A printed path for people: the middle of a very long one is left out.
pub(crate) fn cut(text: &str) -> String {
    let length = text.chars().count();
    if length <= PRINTED_LIMIT {
        return text.to_owned();
    }
    let half = PRINTED_LIMIT / 2;
    text.chars().take(half).chain("…".chars()).chain(text.chars().skip(length - half)).collect()
}

/// Whether a character changes the direction or the line of a text (Unicode Technical Report 36).
fn is_of_layout(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_printed_on_one_line() {
        let root = Trail::root(b"/data");
        assert_eq!(root.printed(), "/data");
        let below = Trail::below(&Trail::below(&root, b"a\nb"), b"c\xff \xc3\xa9");
        assert_eq!(below.printed(), "/data/a\\nb/c\\xff é");
        assert_eq!(Trail::below(&Trail::root(b"/"), b"etc").printed(), "/etc");
        assert_eq!(below.relative(b"x"), b"a\nb/c\xff \xc3\xa9/x");
        assert_eq!(root.relative(b"x"), b"x");
    }

    #[test]
    fn a_trail_of_a_million_names_is_cut_and_dropped_without_a_stack() {
        let deep = (0..1_000_000).fold(Trail::root(b"/data"), |trail, _| Trail::below(&trail, b"x"));
        let printed = deep.printed();
        assert!(printed.starts_with("/data/x/x/") && printed.ends_with("/x/x"), "{printed}");
        assert_eq!(printed.chars().count(), PRINTED_LIMIT + 1);
    }
}
