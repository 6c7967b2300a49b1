//! Redaction within a text of JSON: each string and each number alone, as they are read, so that no
//! escape hides a secret and the text is JSON afterwards. A text that is no JSON, such as half a
//! line, is read as far as it looks like JSON.
//!
//! A name is no secret, but a pattern such as `password.*` begins in it and means the value behind
//! it. Therefore a name is a part of the text like the punctuation around it, unless it has
//! escapes.

use std::ops::Range;

use serde::de::IgnoredAny;

use crate::format::{quoted_length, unescaped};

/// A string or a number
struct Token<'a> {
    range: Range<usize>,
    /// The inside of a string, with its escapes; the whole of a number
    inside: &'a str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A string that is the name of a member
    Name,
    Value,
    /// A string without its last quote
    Torn,
    Number,
}

impl Token<'_> {
    /// The token as JSON with another text
    fn with(&self, text: &str) -> Option<String> {
        let mut quoted = serde_json::to_string(text).ok()?;
        if self.kind == Kind::Torn {
            quoted.pop();
        }
        Some(quoted)
    }
}

/// The text with other strings in place of strings and numbers; nothing if none changes.
pub(super) fn replaced(json: &str, replace: impl Fn(&str) -> Option<String>) -> Option<String> {
    rewritten(json, |token| match token.kind {
        Kind::Name if !token.inside.contains('\\') => None,
        Kind::Number => token.with(&replace(token.inside)?),
        _ => token.with(&replace(&unescaped(token.inside))?),
    })
}

/// The text with as few escapes as JSON can have; nothing if that is the same.
pub(super) fn plain(json: &str) -> Option<String> {
    if !json.contains('\\') {
        return None;
    }
    rewritten(json, |token| {
        let new = token.with(&unescaped(token.inside)).filter(|_| token.kind != Kind::Number)?;
        (new != json[token.range.clone()]).then_some(new)
    })
}

/// The insides of all strings that are values
pub(super) fn values(json: &str) -> Vec<Range<usize>> {
    let values = tokens(json).filter(|token| matches!(token.kind, Kind::Value | Kind::Torn));
    values.map(|token| token.range.start + 1..token.range.start + 1 + token.inside.len()).collect()
}

/// Whether the whole text is a value of JSON
pub(super) fn is_whole(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn rewritten(json: &str, new: impl Fn(&Token<'_>) -> Option<String>) -> Option<String> {
    let (mut out, mut copied) = (String::new(), 0);
    for token in tokens(json) {
        if let Some(new) = new(&token) {
            out.push_str(&json[copied..token.range.start]);
            out.push_str(&new);
            copied = token.range.end;
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&json[copied..]);
    Some(out)
}

fn tokens(json: &str) -> impl Iterator<Item = Token<'_>> {
    let (bytes, mut at) = (json.as_bytes(), 0);
    std::iter::from_fn(move || {
        at += bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9'))?;
        let begin = at;
        if bytes[begin] != b'"' {
            at = number_end(bytes, begin);
            return Some(Token { range: begin..at, inside: &json[begin..at], kind: Kind::Number });
        }
        let length = quoted_length(&bytes[begin + 1..]);
        let quote = length.map_or(json.len(), |length| begin + 1 + length);
        let inside = &json[begin + 1..quote];
        at = json.len().min(quote + 1);
        let kind = match length {
            None => Kind::Torn,
            Some(_) if bytes[at..].trim_ascii_start().starts_with(b":") => Kind::Name,
            Some(_) => Kind::Value,
        };
        Some(Token { range: begin..at, inside, kind })
    })
}

fn number_end(bytes: &[u8], begin: usize) -> usize {
    let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    begin + bytes[begin..].iter().take_while(|byte| is_of_number(byte)).count()
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
        assert_eq!(found, "[\"\u{fffd} *\",\"\\ud800\"]");
    }

    #[test]
    fn a_broken_text_is_read_as_far_as_it_goes() {
        assert_eq!(replaced("{\"b\":\"\t\\u0061\"", without_a).as_deref(), Some("{\"b\":\"\\t*\""));
        assert_eq!(replaced(r#"{"b":"\u0061 \"c\" \"#, without_a).as_deref(), Some(r#"{"b":"* \"c\" \\"#));
        assert_eq!(
            plain(r#"{"\u0061":"\u00e9\/\ud800","b":1,"c":"\n\"\u0061"#).as_deref(),
            Some("{\"a\":\"é/\u{fffd}\",\"b\":1,\"c\":\"\\n\\\"a")
        );
        assert_eq!((plain(r#"["\n\""]"#), plain("{}")), (None, None));
        assert!(is_whole(r#"["\ud800"]"#) && !is_whole("{\"a\""));
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
            plain(&text);
            prop_assert!(values(&text).iter().all(|inside| text.get(inside.clone()).is_some()));
        }
    }
}
