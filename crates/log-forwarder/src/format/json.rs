//! JSON objects, one a line. Values keep their text: a number has all its digits, and nested values are not built again.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::fields;
use crate::format::record::{Field, Parsed, Value};

/// Values that are nested deeper do not parse, because collectors refuse them, or worse. `serde_json` has the same bound where it builds values.
const DEEPEST: usize = 128;

/// Of two values with one name the last counts, as in most readers.
pub(super) fn read(text: &str) -> Option<Parsed<'_>> {
    let Object(fields) = serde_json::from_str(text).ok()?;
    Some(fields::parsed(fields))
}

struct Object<'a>(Vec<Field<'a>>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            fields.push((name, typed(value.get()).map_err(serde::de::Error::custom)?));
        }
        Ok(Object(fields))
    }
}

fn typed(json: &str) -> serde_json::Result<Value<'_>> {
    let Some(string) = json.strip_prefix('"') else {
        let is_deep = json.len() > 2 * DEEPEST && depth(json.as_bytes()) > DEEPEST;
        return if is_deep { Err(serde::de::Error::custom("too deep")) } else { Ok(Value::Json(json.into())) };
    };
    let plain = string.strip_suffix('"').filter(|string| memchr::memchr(b'\\', string.as_bytes()).is_none());
    Ok(Value::Text(match plain {
        Some(plain) => plain.into(),
        None => serde_json::from_str::<Text<'_>>(json)?.0,
    }))
}

/// How deep arrays and objects are nested in valid JSON
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    let mut in_string = false;
    while let Some(byte) = json.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
        (deepest, at) = (deepest.max(depth), at + 1);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_of_a_logger() {
        let line = r#"{"level":"info","ts":1795514325.123,"msg":"a \"b\" ü","n":1.50,"big":12345678901234567890123,"on":true,
            "nothing":null,"deep":{"a": [1, {}]},"\u00fc\n":"é"}"#;
        let parsed = read(line).unwrap();
        assert_eq!((parsed.time, parsed.message.as_deref()), (Some(1_795_514_325_123_000_000), Some("a \"b\" ü")));
        let json = |text: &'static str| Value::Json(text.into());
        assert_eq!(
            parsed.fields,
            [
                ("level".into(), Value::Text("info".into())),
                ("n".into(), json("1.50")),
                ("big".into(), json("12345678901234567890123")),
                ("on".into(), json("true")),
                ("nothing".into(), json("null")),
                ("deep".into(), json(r#"{"a": [1, {}]}"#)),
                ("ü\n".into(), Value::Text("é".into())),
            ]
        );
        assert!(matches!(&parsed.fields[0], (Cow::Borrowed(_), Value::Text(Cow::Borrowed(_)))));
    }

    #[test]
    fn what_is_no_object_does_not_parse() {
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
        for line in [
            "",
            "text",
            "[1]",
            "1",
            "null",
            "\"a\"",
            "{",
            "{\"a\":1",
            "{\"a\":1}x",
            "{a:1}",
            r#"{"a":"\ud800"}"#,
            r#"{"a":01}"#,
            &deep,
        ] {
            assert_eq!(read(line), None, "{line}");
        }
        assert_eq!(read(" {} \r"), Some(Parsed::default()));
        let wide = format!(r#"{{"a":[{}1],"b":["{}\""]}}"#, "[],".repeat(200), "[".repeat(200));
        assert!(read(&wide).is_some());
    }

    #[test]
    fn the_last_of_a_name_counts() {
        let parsed = read(r#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(parsed.fields, [("b".into(), Value::Json("2".into())), ("a".into(), Value::Json("3".into()))]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in "\\PC{1,9}x", text in proptest::collection::vec(any::<char>(), 0..40), number in any::<f64>()) {
            let text: String = text.into_iter().collect();
            let line = serde_json::json!({"A": number, name.clone(): text}).to_string();
            let parsed = read(&line).unwrap();
            prop_assert!(parsed.fields.contains(&(name.into(), Value::Text(text.into()))));
        }

        #[test]
        fn nothing_panics(text in "[]{}\\[\":,0-9eu\\\\ -]{0,60}") {
            let _ = read(&text);
        }
    }
}
