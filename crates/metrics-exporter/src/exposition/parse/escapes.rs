//! Escapes in texts: `\\`, `\n` and, between quotes, `\"`. Any other backslash stands for itself.

use bumpalo::Bump;

/// Unescapes the value of a label, or a help of OpenMetrics.
pub(super) fn unescape<'a>(arena: &'a Bump, raw: &'a str) -> &'a str {
    if raw.contains('\\') { replace(arena, raw, true) } else { raw }
}

/// Unescapes a help of text format 0.0.4, in which quotes have no escape.
pub(super) fn unescape_help<'a>(arena: &'a Bump, raw: &'a str) -> &'a str {
    if raw.contains('\\') { replace(arena, raw, false) } else { raw }
}

fn replace<'a>(arena: &'a Bump, raw: &str, quotes: bool) -> &'a str {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let (character, used) = match after.as_bytes().first() {
            Some(b'\\') => ('\\', 1),
            Some(b'n') => ('\n', 1),
            Some(b'"') if quotes => ('"', 1),
            _ => ('\\', 0),
        };
        text.push(character);
        rest = &after[used..];
    }
    text.push_str(rest);
    arena.alloc_str(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_values_and_help() {
        let arena = Bump::new();
        let rows = [
            (r"foo", "foo", "foo"),
            (r"\foo", r"\foo", r"\foo"),
            (r"\\foo", r"\foo", r"\foo"),
            (r"foo\", r"foo\", r"foo\"),
            (r"\n\\n\\\n", "\n\\n\\\n", "\n\\n\\\n"),
            (r#"\"\\""#, r#""\""#, r#"\"\""#),
            (r"\é", r"\é", r"\é"),
        ];
        for (raw, value, help) in rows {
            assert_eq!((unescape(&arena, raw), unescape_help(&arena, raw)), (value, help), "{raw}");
        }
    }
}
