//! The names of fields as the server takes them: it refuses a document with an empty or blank name,
//! with a dot at either end of a name or two in a row, or with one name twice in an object.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    format::{
        keep_last,
        record::{Field, Value},
    },
    outputs::encoding::write_text,
};

/// The name in place of one that is empty or blank
const BLANK: &str = "_";

/// Writes fields, whose names all differ, as an object.
pub(super) fn write_fields(fields: &[Field], out: &mut Vec<u8>) {
    write_object(fields, out, |value, out| match value {
        Value::Text(text) => write_text(text, out),
        Value::Json(json) => write_json(json, out),
    });
}

/// A name that the server takes. Where a part between dots is empty or blank, the name is no path:
/// its dots become `_`, because a path beside a value of the same beginning would be refused, too.
/// A name of blanks is `_`.
pub(super) fn possible(name: &str) -> Cow<'_, str> {
    // Java also takes control characters for blanks (`Character.isWhitespace`).
    let is_blank = |part: &str| part.chars().all(|char| char.is_whitespace() || char.is_control());
    if !name.split('.').any(is_blank) {
        return name.into();
    }
    let flat = name.replace('.', "_");
    if is_blank(&flat) { BLANK.to_owned().into() } else { flat.into() }
}

/// Writes a value. Names are looked at only where there is an object.
fn write_json(json: &str, out: &mut Vec<u8>) {
    let is_nested = json.starts_with(['{', '[']) && memchr::memchr(b'{', json.as_bytes()).is_some();
    // Names may hold half a surrogate pair, which is no text: then the server judges the value as
    // it is.
    let is_written = is_nested && (write_map(json, out) || write_array(json, out));
    if !is_written {
        out.extend_from_slice(json.as_bytes());
    }
}

fn write_map(json: &str, out: &mut Vec<u8>) -> bool {
    let Ok(Map(mut entries)) = serde_json::from_str(json) else { return false };
    // As at the top of a line
    keep_last(&mut entries);
    write_object(&entries, out, |value, out| write_json(value.get(), out));
    true
}

fn write_array(json: &str, out: &mut Vec<u8>) -> bool {
    let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(json) else { return false };
    out.push(b'[');
    for (nth, value) in values.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write_json(value.get(), out);
    }
    out.push(b']');
    true
}

/// Writes entries, whose names all differ, under names that the server takes. A name that is
/// changed and then meets another one gets a number, so that each value stays.
fn write_object<V>(entries: &[(Cow<str>, V)], out: &mut Vec<u8>, write: impl Fn(&V, &mut Vec<u8>)) {
    let mut names: Vec<_> = entries.iter().map(|(name, _)| possible(name)).collect();
    if names.iter().any(|name| matches!(name, Cow::Owned(_))) {
        tell_apart(&mut names);
    }
    out.push(b'{');
    for (nth, (name, (_, value))) in names.iter().zip(entries).enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

/// Adds a number to each changed name that is another field's, too.
fn tell_apart(names: &mut [Cow<str>]) {
    let unchanged = names.iter().filter(|name| matches!(name, Cow::Borrowed(_)));
    let mut taken: HashSet<String> = unchanged.map(|name| name.clone().into_owned()).collect();
    // Counts through the whole object, so that many such names cost no more than their number.
    let mut number = 2;
    for name in names.iter_mut().filter(|name| matches!(name, Cow::Owned(_))) {
        let changed = name.clone().into_owned();
        let mut unique = changed.clone();
        while !taken.insert(unique.clone()) {
            unique = format!("{changed}_{number}");
            number += 1;
        }
        *name = unique.into();
    }
}

/// The entries of an object, in their order, with names that may come twice
struct Map<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Map<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Map<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Map<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<Cow<str>, &RawValue>()? {
            entries.push((name, value));
        }
        Ok(Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(json: &str) -> String {
        let mut out = Vec::new();
        write_json(json, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_that_the_server_refuses_are_changed() {
        for (name, expected) in [
            ("a.b", "a.b"),
            ("", "_"),
            (".", "_"),
            ("..", "__"),
            (".a", "_a"),
            ("a.", "a_"),
            ("a..b", "a__b"),
            (" \t", "_"),
            ("a. .b", "a_ _b"),
            ("\u{1f}", "_"),
            (" a", " a"),
        ] {
            assert_eq!(possible(name), expected, "{name:?}");
        }
    }

    #[test]
    fn nested_names_are_possible_and_differ() {
        for (json, expected) in [
            (r#"{"x":1,"y":3,"x":2}"#, r#"{"y":3,"x":2}"#),
            (r#"[{"x":1,"x":[{"":1}]},"{\"\":1}"]"#, r#"[{"x":[{"_":1}]},"{\"\":1}"]"#),
            (r#"{"":1,"_":2," ":3,"\t":4}"#, r#"{"__2":1,"_":2,"__3":3,"__4":4}"#),
            (r#"{"a..b":1e400, "c": -0}"#, r#"{"a__b":1e400,"c":-0}"#),
            (r#"{"\u0061":1,"a":2}"#, r#"{"a":2}"#),
            ("[1, 2]", "[1, 2]"),
            ("{}", "{}"),
            (r#"{"\ud800":1}"#, r#"{"\ud800":1}"#),
        ] {
            assert_eq!(written(json), expected);
        }
    }

    /// Whether all names of a value are what the server takes
    fn is_taken(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Object(map) => {
                map.iter().all(|(name, value)| possible(name) == **name && is_taken(value))
            }
            serde_json::Value::Array(values) => values.iter().all(is_taken),
            _ => true,
        }
    }

    proptest! {
        #[test]
        fn no_value_is_lost_with_a_name(names in proptest::collection::hash_set("[ ._a]{0,3}", 0..40)) {
            let entries: Vec<_> = names.iter().enumerate().map(|(nth, name)| format!("{}:{nth}", serde_json::json!(name))).collect();
            let text = written(&format!("[{{{}}}]", entries.join(",")));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert!(is_taken(&value), "{}", text);
            prop_assert_eq!(value[0].as_object().unwrap().len(), names.len());
        }
    }
}
