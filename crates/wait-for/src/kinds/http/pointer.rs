//! The value at a JSON pointer (RFC 6901), found without building the rest of the document: a whole
//! document in memory is twenty times as large as its text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The text of the value at a pointer; of two members with one name, that of the last.
pub(crate) fn find<'a>(document: &'a [u8], pointer: &str) -> serde_json::Result<Option<&'a RawValue>> {
    let tokens: Vec<_> = pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
    let mut document = serde_json::Deserializer::from_slice(document);
    let found = Way(&tokens).deserialize(&mut document)?;
    document.end()?;
    Ok(found)
}

/// The tokens of a pointer that are still to follow
struct Way<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Way<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => serde::Deserialize::deserialize(value).map(Some),
            [next, rest @ ..] => value.deserialize_any(Step { next, rest: Way(rest) }),
        }
    }
}

/// One value on the way
struct Step<'p> {
    next: &'p str,
    rest: Way<'p>,
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_next) = members.next_key_seed(Is(self.next))? {
            if is_next {
                found = members.next_value_seed(Way(self.rest.0))?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        // No sign, and no zero in front
        let is_index = self.next == "0" || self.next.starts_with(|first: char| ('1'..='9').contains(&first));
        let index = self.next.parse::<usize>().ok().filter(|_| is_index);
        let mut found = None;
        for at in 0.. {
            if index == Some(at) {
                let Some(value) = items.next_element_seed(Way(self.rest.0))? else { break };
                found = value;
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a member has this name
struct Is<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<bool, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn found(document: &str, pointer: &str) -> Option<String> {
        find(document.as_bytes(), pointer).unwrap().map(|value| value.get().to_owned())
    }

    #[test]
    fn pointers_of_the_rfc() {
        let document = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, "x": {"y": [{"z": null}]}}"#;
        for (pointer, value) in [
            ("", Some(document)),
            ("/foo", Some(r#"["bar", "baz"]"#)),
            ("/foo/0", Some(r#""bar""#)),
            ("/foo/1", Some(r#""baz""#)),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/c%d", Some("2")),
            ("/m~0n", Some("8")),
            ("/x/y/0/z", Some("null")),
            ("/foo/2", None),
            ("/foo/01", None),
            ("/foo/+1", None),
            ("/foo/-", None),
            ("/foo/bar", None),
            ("/foo/0/bar", None),
            ("/nothing", None),
            ("/x/y/0/z/0", None),
        ] {
            assert_eq!(found(document, pointer).as_deref(), value, "{pointer}");
        }
        assert_eq!(found(r#"{"\u0061": 1, "a": 2}"#, "/a").as_deref(), Some("2"));
    }

    #[test]
    fn what_is_no_json_is_an_error_wherever_it_stands() {
        for document in ["", "{", "{\"a\": 1} x", "[1,]", "{\"b\": nul, \"a\": 1}"] {
            assert!(find(document.as_bytes(), "/a").is_err(), "{document}");
        }
    }

    proptest! {
        #[test]
        fn a_value_is_that_of_the_whole_document(
            document in r#"(\{"a":|\[|"a"|1|\]|\}|,|"b":|null){0,12}"#, pointer in "(/a|/b|/0|/1){0,3}"
        ) {
            let whole = serde_json::from_str::<Value>(&document);
            let found = find(document.as_bytes(), &pointer);
            prop_assert_eq!(whole.is_ok(), found.is_ok());
            if let (Ok(whole), Ok(found)) = (whole, found) {
                let found = found.map(|found| serde_json::from_str::<Value>(found.get()).unwrap());
                prop_assert_eq!(whole.pointer(&pointer), found.as_ref());
            }
        }
    }
}
