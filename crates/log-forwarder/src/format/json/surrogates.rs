//! Halves of surrogate pairs. Apps that cut a text within an emoji write them, and many collectors
//! refuse them, with all the rest of the line. U+FFFD takes their place.

use memchr::memchr;

use crate::format::record::{Field, Value};

/// Replaces the halves in a value of JSON. A text has none.
pub(super) fn pair((_, value): &mut Field<'_>) {
    if let Value::Json(json) = value
        && let Some(paired) = paired(json)
    {
        *json = paired.into();
    }
}

/// JSON with U+FFFD in place of each half; nothing if there is none.
pub(super) fn paired(json: &str) -> Option<String> {
    let mut halves = Vec::new();
    let mut at = 0;
    while let Some(length) = memchr(b'\\', json.as_bytes().get(at..)?) {
        at += length;
        at += match (unit(json, at), unit(json, at + 6)) {
            (None, _) => 2,
            (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => 12,
            (Some(0xD800..0xE000), _) => {
                halves.push(at);
                6
            }
            (Some(_), _) => 6,
        };
    }
    let (mut paired, mut copied) = (String::new(), 0);
    for half in &halves {
        paired.push_str(&json[copied..*half]);
        paired.push_str("\\ufffd");
        copied = half + 6;
    }
    paired.push_str(&json[copied..]);
    (!halves.is_empty()).then_some(paired)
}

/// The unit of UTF-16 that an escape is
fn unit(json: &str, at: usize) -> Option<u16> {
    u16::from_str_radix(json.get(at..at + 6)?.strip_prefix("\\u")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_pairs_stay() {
        let json = r#"["\ud83d\ude00 \ud83d\ud83d\ude00 \uDE00\n\\ud83d \u00e9\ud83d"]"#;
        let expected = r#"["\ud83d\ude00 \ufffd\ud83d\ude00 \ufffd\n\\ud83d \u00e9\ufffd"]"#;
        assert_eq!(paired(json).as_deref(), Some(expected));
        assert_eq!((paired(r#"["\ud83d\ude00\\"]"#), paired("[1]")), (None, None));
    }
}
