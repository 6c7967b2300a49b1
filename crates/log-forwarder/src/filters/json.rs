//! Redaction within a text of JSON: each string and each number alone, as they are read, so that no
//! escape hides a secret and the text is JSON afterwards.
//!
//! A name is no secret, but a pattern such as `password.*` begins in it and means the value behind
//! it. Therefore a name is a part of the text like the punctuation around it, unless it has
//! escapes.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// The text with other strings in place of strings and numbers; nothing if none changes.
pub(super) fn replaced(json: &str, replace: impl Fn(&str) -> Option<String>) -> Option<String> {
    let bytes = json.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(first) = bytes.get(at) {
        let end = match first {
            b'"' => string_end(bytes, at),
            b'-' | b'0'..=b'9' => number_end(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        let token = &json[at..end];
        let is_plain_name = || is_name(bytes, end) && !token.contains('\\');
        let new = match first {
            b'"' if is_plain_name() => None,
            // A token that is no string of JSON stays, and is looked at as plain text.
            b'"' => serde_json::from_str(token).ok().and_then(|Characters(text)| replace(&text)),
            _ => replace(token),
        };
        if let Some(new) = new.and_then(|new| serde_json::to_string(&new).ok()) {
            out.push_str(&json[copied..at]);
            out.push_str(&new);
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&json[copied..]);
    Some(out)
}

/// The insides of all strings that are values
pub(super) fn values(json: &str) -> Vec<Range<usize>> {
    let bytes = json.as_bytes();
    let (mut values, mut at) = (Vec::new(), 0);
    while let Some(quote) = memchr::memchr(b'"', &bytes[at..]) {
        let begin = at + quote;
        at = string_end(bytes, begin);
        let inside = begin + 1..at.max(begin + 2) - 1;
        let is_value = !is_name(bytes, at) && json.is_char_boundary(inside.end);
        values.extend(is_value.then_some(inside));
    }
    values
}

/// Whether the string that ends there is the name of a member
fn is_name(bytes: &[u8], end: usize) -> bool {
    bytes.get(end..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
}

/// Behind the closing quote of a string, or the end of the text
fn string_end(bytes: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

fn number_end(bytes: &[u8], begin: usize) -> usize {
    let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    begin + bytes[begin..].iter().take_while(|byte| is_of_number(byte)).count()
}

/// The characters of a string. Half a surrogate pair, which many readers take, is replaced.
struct Characters(String);

impl<'de> Deserialize<'de> for Characters {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        // As bytes, because serde_json refuses text with such a half.
        reader.deserialize_bytes(CharactersVisitor)
    }
}

struct CharactersVisitor;

impl Visitor<'_> for CharactersVisitor {
    type Value = Characters;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Characters, E> {
        Ok(Characters(String::from_utf8_lossy(bytes).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn without_a(text: &str) -> Option<String> {
        text.contains('a').then(|| text.replace('a', "*"))
    }

    #[test]
    fn strings_are_compared_as_they_are_read() {
        let json = r#"{"a":"b","\u0061" :["\u0061\"",{"d":true}],"e":[12,-3.5E+2],"f":"é\\"}"#;
        let found = replaced(json, without_a).unwrap();
        assert_eq!(found, r#"{"a":"b","*" :["*\"",{"d":true}],"e":[12,-3.5E+2],"f":"é\\"}"#);
        let number = |text: &str| (text == "-3.5E+2").then(|| "*".to_owned());
        assert!(replaced(json, number).unwrap().contains(r#""e":[12,"*"]"#));
        assert_eq!(replaced(json, |_| None), None);
        let insides: Vec<_> = values(json).into_iter().map(|inside| &json[inside]).collect();
        assert_eq!(insides, ["b", "\\u0061\\\"", "é\\\\"]);
    }

    #[test]
    fn half_a_surrogate_pair_hides_nothing() {
        let found = replaced(r#"["\ud800 \u0061","\ud800"]"#, without_a).unwrap();
        assert_eq!(found, "[\"\u{fffd}\u{fffd}\u{fffd} *\",\"\\ud800\"]");
    }

    proptest! {
        #[test]
        fn what_is_json_stays_json(texts in proptest::collection::vec("[aé\"\\\\b]{0,6}", 0..5), text in "[\"\\\\a0é{-]{0,9}") {
            let json = serde_json::to_string(&texts).unwrap();
            let expected: Vec<_> = texts.iter().map(|text| text.replace('a', "*")).collect();
            let found = replaced(&json, without_a).unwrap_or(json);
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&found).unwrap(), expected);
            // Other text is no reason to panic.
            replaced(&text, without_a);
            prop_assert!(values(&text).iter().all(|inside| text.get(inside.clone()).is_some()));
        }
    }
}
