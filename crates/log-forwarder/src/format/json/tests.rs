//! The scanner beside `serde_json`, which reads each line in its own way.

use std::fmt;

use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::*;

fn read(text: &str) -> Option<Parsed<'_>> {
    super::read(text, &TimeRule::default())
}

/// The members of an object as `serde_json` reads them
struct Members<'a>(Vec<Field<'a>>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            let value = match serde_json::from_str::<Text<'de>>(value.get()) {
                Ok(Text(text)) => Value::Text(text),
                Err(_) if value.get().starts_with('"') => {
                    return Err(serde::de::Error::custom("half a surrogate pair"));
                }
                Err(_) => Value::Json(value.get().into()),
            };
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

fn by_serde(line: &str) -> Option<Vec<Field<'_>>> {
    serde_json::from_str(line).ok().map(|Members(members)| members)
}

/// The same, for a line that may have halves of surrogate pairs
fn by_serde_paired(line: &str) -> Option<Vec<Field<'_>>> {
    let paired = surrogates::paired(line).unwrap_or_else(|| line.to_owned());
    let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    let members = by_serde(&paired)?.into_iter().map(|(name, value)| match value {
        Value::Text(text) => (owned(name), Value::Text(owned(text))),
        Value::Json(json) => (owned(name), Value::Json(owned(json))),
    });
    Some(members.collect())
}

/// JSON with a depth up to about four, and what looks like it
fn some_json() -> impl Strategy<Value = String> {
    let string = r#""([ -!#-\[\]-~é\u{7f}\u{10ffff}]|\\["\\/bfnrt]|\\u(00[0-9a-f]{2}|d83d\\ude0[0-9A-F]|[0-9a-cA-C][0-9a-f]{3}))*""#;
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?";
    let scalar = prop_oneof![string, number, "true|false|null"];
    let space = "[ \t\r\n]{0,2}";
    scalar.prop_recursive(4, 24, 6, move |inner| {
        let items = proptest::collection::vec((space, inner.clone(), space), 0..5);
        let members = proptest::collection::vec((string, space, inner), 0..5);
        let list = |items: Vec<String>| items.join(",");
        prop_oneof![
            items.prop_map(move |items| {
                format!("[{}]", list(items.into_iter().map(|(before, item, after)| before + &item + &after).collect()))
            }),
            members.prop_map(move |members| {
                format!(
                    "{{{}}}",
                    list(
                        members.into_iter().map(|(name, space, value)| name + &space + ":" + &space + &value).collect()
                    )
                )
            }),
        ]
    })
}

fn some_object() -> impl Strategy<Value = String> {
    let member = (r#""(a|b|\\u0061|[a-z]{0,3})""#, "[ \t]{0,1}", some_json());
    proptest::collection::vec(member, 0..8).prop_map(|members| {
        let members: Vec<String> =
            members.into_iter().map(|(name, space, value)| name + &space + ":" + &value).collect();
        format!(" {{{}}}\r", members.join(","))
    })
}

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
    for line in ["", "text", "[1]", "1", "null", "\"a\"", "{", "{\"a\":1", "{\"a\":1}x", "{a:1}", r#"{"a":01}"#, &deep]
    {
        assert_eq!(read(line), None, "{line}");
    }
    assert_eq!(read(" {} \r"), Some(Parsed::default()));
    let wide = format!(r#"{{"a":[{}1],"b":["{}\""]}}"#, "[],".repeat(200), "[".repeat(200));
    assert!(read(&wide).is_some());
}

#[test]
fn half_a_surrogate_pair_spoils_no_line() {
    let fields = read(r#"{"a":"\ud83d é","\ud83d\ude00":["\ud83d",{"b":"\ude00 \ud83d\ude00"}]}"#).unwrap().fields;
    let nested = Value::Json(r#"["\ufffd",{"b":"\ufffd \ud83d\ude00"}]"#.into());
    assert_eq!(fields, [("a".into(), Value::Text("\u{fffd} é".into())), ("😀".into(), nested)]);
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

    #[test]
    fn objects_are_read_as_serde_reads_them(line in some_object()) {
        prop_assert!(by_serde(&line).is_some(), "{}", line);
        prop_assert_eq!(members(&line), by_serde(&line));
    }

    /// Bytes that are left out, added or replaced, which makes other JSON or none.
    #[test]
    fn broken_objects_are_read_as_serde_reads_them(
        line in some_object(),
        faults in proptest::collection::vec((any::<proptest::sample::Index>(), any::<bool>(), "[\\[\\]{}\":,0eE.+-]|\\\\|\\\\ud83d|[\u{0}-\u{1f}]|é|\u{fffd}|null|x"), 1..4),
    ) {
        let mut characters: Vec<String> = line.chars().map(String::from).collect();
        for (at, replaces, with) in faults {
            let at = at.index(characters.len());
            characters.splice(at..at + usize::from(replaces), [with]);
        }
        let line = characters.concat();
        prop_assert_eq!(members(&line), by_serde_paired(&line), "{}", line);
    }

    #[test]
    fn depth_has_a_bound(depth in 120..136_usize, is_object: bool) {
        let (open, close) = if is_object { (r#"{"a":"#, "}") } else { ("[", "]") };
        let line = format!(r#"{{"a":{}1{}}}"#, open.repeat(depth), close.repeat(depth));
        prop_assert_eq!(members(&line).is_some(), depth <= DEEPEST);
    }

    #[test]
    fn special_bytes_are_found_wherever_they_stand(bytes in proptest::collection::vec(prop_oneof![4 => 0x20..=0xff_u8, 1 => any::<u8>()], 0..40)) {
        let expected = bytes.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\');
        prop_assert_eq!(first_special(&bytes), expected);
    }
}
