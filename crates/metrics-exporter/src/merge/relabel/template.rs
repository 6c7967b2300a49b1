//! Templates of values and names, expanded like Go's `regexp.Expand`: `$1`, `${1}`, `$name`, `${name}`, `$$`.

use bumpalo::{Bump, collections::String};
use regex::{Captures, Regex};

/// Text with references to groups of an expression
#[derive(Clone, Debug)]
pub(super) struct Template {
    text: std::string::String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(std::string::String),
    Group(usize),
}

impl Template {
    /// Parses a template for this expression. A reference to a group that the expression does not have is empty.
    pub(super) fn new(text: std::string::String, regex: &Regex) -> Self {
        let mut pieces = Vec::new();
        let mut plain = std::string::String::new();
        let mut rest = &text[..];
        while let Some((before, after)) = rest.split_once('$') {
            plain.push_str(before);
            rest = after;
            if let Some(after) = after.strip_prefix('$') {
                plain.push('$');
                rest = after;
            } else if let Some((name, after)) = variable(after) {
                rest = after;
                let group = number(name, regex).or_else(|| regex.capture_names().position(|group| group == Some(name)));
                if let Some(group) = group {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Group(group));
                }
            } else {
                plain.push('$');
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        pieces.retain(|piece| *piece != Piece::Text(std::string::String::new()));
        Self { text, pieces }
    }

    /// The text of the template.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Replaces the references by the matched groups.
    pub(super) fn expand<'a>(&self, arena: &'a Bump, groups: &Captures<'a>) -> &'a str {
        let text = |piece| match piece {
            &Piece::Group(group) => groups.get(group).map_or("", |found| found.as_str()),
            Piece::Text(text) => arena.alloc_str(text),
        };
        match &self.pieces[..] {
            [] => "",
            [piece] => text(piece),
            pieces => {
                let mut expanded = String::new_in(arena);
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => expanded.push_str(text),
                        piece @ Piece::Group(_) => expanded.push_str(text(piece)),
                    }
                }
                expanded.into_bump_str()
            }
        }
    }
}

/// The name behind a `$`, and the rest. The name is in braces or as long as possible: `$1x` is the group `1x`.
fn variable(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let start = inner.unwrap_or(text);
    let end = start.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(start.len());
    let (name, after) = start.split_at(end);
    let after = if inner.is_some() { after.strip_prefix('}')? } else { after };
    (!name.is_empty()).then_some((name, after))
}

/// The index of a group that a number names. A number with a leading zero is a name.
fn number(name: &str, regex: &Regex) -> Option<usize> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    let number = if is_number { name.parse().ok() } else { None };
    number.filter(|number| *number < regex.captures_len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_expand_as_in_go() {
        let rows = [
            ("$1", "foo"),
            ("${1}", "foo"),
            ("$0", "foo-bar"),
            ("a$1b", "a"),
            ("a${1}b", "afoob"),
            ("$1$2", "foobar"),
            ("$1_$2", "bar"),
            ("$second-$1", "bar-foo"),
            ("${second}x", "barx"),
            ("$secondx", ""),
            ("$3${4}", ""),
            ("$01", ""),
            ("$99999999999999999999", ""),
            ("$$1", "$1"),
            ("$", "$"),
            ("a$-b$", "a$-b$"),
            ("${1", "${1"),
            ("${}", "${}"),
            ("${1-}", "${1-}"),
            ("", ""),
        ];
        let regex = Regex::new("(fo+)-(?P<second>.*)|(nothing)").unwrap();
        let arena = Bump::new();
        for (text, expected) in rows {
            let groups = regex.captures("foo-bar").unwrap();
            assert_eq!(Template::new(text.to_owned(), &regex).expand(&arena, &groups), expected, "{text}");
        }
    }
}
