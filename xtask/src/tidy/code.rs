//! Rust source without comments, texts and modules of tests.

/// The code of a file. Comments and the content of literals become spaces, so that every offset and line stays; test modules
/// become spaces too.
pub(super) fn code(text: &str) -> String {
    without_tests(&without_texts(text))
}

/// Blanks comments and the content of string and character literals.
fn without_texts(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match &bytes[at..] {
            [b'/', b'/', ..] => line_end(bytes, at),
            [b'/', b'*', ..] => comment_end(bytes, at),
            [b'"', ..] => string_end(bytes, at + 1),
            [b'r', b'"' | b'#', ..] if !is_word(bytes, at) => raw_string_end(bytes, at),
            [b'\'', ..] => character_end(bytes, at),
            _ => at + 1,
        };
        if end > at + 1 {
            code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end;
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// Whether the byte before belongs to a name, so that an `r` here begins no raw string
fn is_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, b"\n").unwrap_or(bytes.len())
}

fn comment_end(bytes: &[u8], at: usize) -> usize {
    find(bytes, at + 2, b"*/").map_or(bytes.len(), |end| end + 2)
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let start = at + 1 + hashes;
    if bytes.get(start) != Some(&b'"') {
        // A raw name such as `r#type`
        return at + 1;
    }
    let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
    find(bytes, start + 1, &close).map_or(bytes.len(), |end| end + close.len())
}

/// The end of a character literal; a lifetime has none, so only its quote is passed.
fn character_end(bytes: &[u8], at: usize) -> usize {
    let content = match bytes.get(at + 1) {
        Some(b'\\') => 2,
        Some(_) => 1,
        None => return at + 1,
    };
    // A character takes up to four bytes, an escape such as \u{10ffff} up to ten.
    let longest = if content == 2 { 12 } else { 6 };
    let close = (at + 1 + content..bytes.len().min(at + longest)).find(|end| bytes[*end] == b'\'');
    let is_one_character =
        |end: usize| content == 2 || String::from_utf8_lossy(&bytes[at + 1..end]).chars().count() == 1;
    close.filter(|end| is_one_character(*end)).map_or(at + 1, |end| end + 1)
}

fn find(bytes: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

/// Blanks each `#[cfg(test)] mod NAME { … }`.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut result = String::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once(MARK) {
        result += before;
        let block = if after.trim_start().starts_with("mod ") { block_length(after) } else { 0 };
        let blank = |character| if character == '\n' { '\n' } else { ' ' };
        result.extend(after[..block].chars().map(blank));
        rest = &after[block..];
    }
    result + rest
}

/// The length of a text up to the end of its first block in braces; 0 when a `;` comes first.
fn block_length(text: &str) -> usize {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            ';' if depth == 0 => return 0,
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_texts_and_tests_are_no_code() {
        let text = r##"use a::B; // crate::c
/* crate::d */ const E: &str = "crate::\"e"; const F: &str = r#"crate::"f"#;
fn g<'a>(h: &'a str) -> char { '"' }
fn i() -> char { '\'' } impl J {}
#[cfg(test)]
mod tests {
    use crate::k;
    fn l() { { } }
}
use crate::m;
#[cfg(test)]
mod elsewhere;
use crate::n;
"##;
        let code = code(text);
        assert_eq!(code.lines().count(), text.lines().count());
        let found: Vec<_> = code.split("crate::").skip(1).map(|rest| &rest[..1]).collect();
        assert_eq!(found, ["m", "n"], "{code}");
        assert!(code.contains("impl J") && code.contains("fn g<'a>(h: &'a str)"), "{code}");
    }
}
