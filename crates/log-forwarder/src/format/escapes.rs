//! Escapes, as JSON, Go's `%q` and nginx write them, and the characters for which they stand. None
//! is refused, because a secret must be found in a broken line, too.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// The text without its escapes. Those that stand for nothing stay, and half a surrogate pair
/// becomes U+FFFD.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', text.as_bytes()) else { return text.into() };
    let mut plain = Vec::with_capacity(text.len());
    plain.extend_from_slice(&text.as_bytes()[..first]);
    let mut rest = &text[first..];
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        plain.extend_from_slice(&rest.as_bytes()[..at]);
        let Some(behind) = read(&rest[at + 1..], &mut plain) else {
            rest = &rest[at..];
            break;
        };
        rest = behind;
    }
    plain.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&plain).into_owned().into()
}

/// The length of the inside of a JSON string, up to its closing quote
pub(crate) fn quoted_length(string: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', string.get(at..)?)?;
        if string[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The character behind a backslash, and the text behind both; nothing if there is no character.
/// Other escapes stay as they are.
pub(super) fn read<'a>(text: &'a str, plain: &mut Vec<u8>) -> Option<&'a str> {
    let escape = text.chars().next()?;
    let rest = &text[escape.len_utf8()..];
    match escape {
        'n' => plain.push(b'\n'),
        't' => plain.push(b'\t'),
        'r' => plain.push(b'\r'),
        'b' => plain.push(8),
        'f' => plain.push(12),
        'a' => plain.push(7),
        'v' => plain.push(11),
        '"' | '\\' | '/' | '\'' => plain.push(escape as u8),
        'x' if let Some((byte, behind)) = hexadecimal(rest, 2) => {
            plain.extend(u8::try_from(byte));
            return Some(behind);
        }
        'u' if let Some((unit, behind)) = hexadecimal(rest, 4) => return Some(utf16(unit, behind, plain)),
        'U' if let Some((value, behind)) = hexadecimal(rest, 8) => {
            push(value, plain);
            return Some(behind);
        }
        _ => {
            plain.push(b'\\');
            return Some(text);
        }
    }
    Some(rest)
}

/// A character beyond the first 65,536 is two units.
fn utf16<'a>(unit: u32, behind: &'a str, plain: &mut Vec<u8>) -> &'a str {
    let low = behind.strip_prefix("\\u").and_then(|text| hexadecimal(text, 4));
    if let (0xD800..0xDC00, Some((low @ 0xDC00..0xE000, rest))) = (unit, low) {
        push(0x1_0000 + (((unit - 0xD800) << 10) | (low - 0xDC00)), plain);
        return rest;
    }
    push(unit, plain);
    behind
}

fn push(character: u32, plain: &mut Vec<u8>) {
    let character = char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER);
    plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn hexadecimal(text: &str, digits: usize) -> Option<(u32, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    let is_hexadecimal = number.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((is_hexadecimal.then(|| u32::from_str_radix(number, 16).ok())??, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape_is_its_character_or_stays() {
        for (written, plain) in [
            ("a", "a"),
            (r#"\u0061\n\"b\x63"#, "a\n\"bc"),
            (r"\\u0061", r"\u0061"),
            (r"\ud83d\ude00 \ud83d \ude00\ud83d", "😀 \u{fffd} \u{fffd}\u{fffd}"),
            (r"é\q\u00 \", r"é\q\u00 \"),
        ] {
            assert_eq!(unescaped(written), plain, "{written}");
        }
    }

    proptest! {
        #[test]
        fn strings_are_read_as_serde_reads_them(text in proptest::collection::vec(any::<char>(), 0..30)) {
            let text: String = text.into_iter().collect();
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescaped(&json[1..json.len() - 1]), text);
        }

        #[test]
        fn nothing_panics(text in "[a\"\\\\xuUd8c0é]{0,40}") {
            unescaped(&text);
        }
    }
}
