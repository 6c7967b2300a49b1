//! Redaction within a text of JSON: each string and each number alone, as they are read, so that no escape hides a secret and
//! the text is JSON afterwards.

use std::ops::Range;

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
        let new = if *first == b'"' {
            // One that is no string of JSON stays, and is looked at as plain text.
            serde_json::from_str::<String>(token).ok().and_then(|text| replace(&text))
        } else {
            replace(token)
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

/// The insides of all strings
pub(super) fn strings(json: &str) -> Vec<Range<usize>> {
    let bytes = json.as_bytes();
    let (mut strings, mut at) = (Vec::new(), 0);
    while let Some(quote) = memchr::memchr(b'"', &bytes[at..]) {
        let begin = at + quote;
        at = string_end(bytes, begin);
        let inside = begin + 1..at.max(begin + 2) - 1;
        strings.extend(json.is_char_boundary(inside.end).then_some(inside));
    }
    strings
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn without_a(text: &str) -> Option<String> {
        text.contains('a').then(|| text.replace('a', "*"))
    }

    #[test]
    fn strings_are_compared_as_they_are_read() {
        let json = r#"{"a":"b","c":["\u0061\"",{"d":true}],"e":[12,-3.5E+2],"f":"é\\"}"#;
        let found = replaced(json, without_a).unwrap();
        assert_eq!(found, r#"{"*":"b","c":["*\"",{"d":true}],"e":[12,-3.5E+2],"f":"é\\"}"#);
        let number = |text: &str| (text == "-3.5E+2").then(|| "*".to_owned());
        assert!(replaced(json, number).unwrap().contains(r#""e":[12,"*"]"#));
        assert_eq!(replaced(json, |_| None), None);
        let insides: Vec<_> = strings(json).into_iter().map(|inside| &json[inside]).collect();
        assert_eq!(insides, ["a", "b", "c", "\\u0061\\\"", "d", "e", "f", "é\\\\"]);
    }

    proptest! {
        #[test]
        fn what_is_json_stays_json(texts in proptest::collection::vec("[aé\"\\\\b]{0,6}", 0..5), text in "[\"\\\\a0é{-]{0,9}") {
            let json = serde_json::to_string(&texts).unwrap();
            let expected: Vec<_> = texts.iter().map(|text| text.replace('a', "*")).collect();
            let found = replaced(&json, without_a).unwrap_or(json);
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&found).unwrap(), expected);
            // What is none is no reason to panic.
            replaced(&text, without_a);
            prop_assert!(strings(&text).iter().all(|inside| text.get(inside.clone()).is_some()));
        }
    }
}
