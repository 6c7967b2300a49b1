//! JSON pointers (RFC 6901): where in an answer a value is.

use std::{borrow::Cow, fmt};

use lifecycle::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// A pointer such as `/data/token`; the empty one is the whole document
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonPointer(String);

impl JsonPointer {
    /// The value there; `None` also for `null`
    pub(crate) fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0).filter(|value| !value.is_null())
    }

    /// The value there as a text: that of a string, the JSON of anything else. An empty string is no value.
    pub(crate) fn text(&self, document: &Value) -> Option<Secret> {
        match self.find(document)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.as_str().into()),
            other => Some(other.to_string().as_str().into()),
        }
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for JsonPointer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err("this is no JSON pointer: write it as /data/token");
        }
        let is_escape = |rest: &str| rest.starts_with(['0', '1']);
        if text.split('~').skip(1).all(is_escape) {
            Ok(Self(text))
        } else {
            Err("this is no JSON pointer: ~ is written ~0, and / in a name ~1")
        }
    }
}

impl<'de> Deserialize<'de> for JsonPointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for JsonPointer {
    fn schema_name() -> Cow<'static, str> {
        "JsonPointer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A JSON pointer (RFC 6901), such as /data/token",
            "type": "string",
            "pattern": "^(/([^~]|~[01])*)?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn pointer(text: &str) -> JsonPointer {
        JsonPointer::try_from(text.to_owned()).unwrap()
    }

    /// The example of RFC 6901, section 5, and texts of values
    #[test]
    fn values_are_found() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7,
            "none": null, "empty": "", "yes": true, "deep": {"a": [1.5]},
        });
        for (text, expected) in [
            ("/foo", Some(r#"["bar","baz"]"#)),
            ("/foo/0", Some("bar")),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/c%d", Some("2")),
            ("/m~0n", Some("8")),
            ("/ ", Some("7")),
            ("/deep", Some(r#"{"a":[1.5]}"#)),
            ("/yes", Some("true")),
            ("/foo/2", None),
            ("/foo/00", None),
            ("/foo/-", None),
            ("/none", None),
            ("/empty", None),
            ("/no/such", None),
        ] {
            assert_eq!(
                pointer(text).text(&document).map(|value| value.expose().to_owned()).as_deref(),
                expected,
                "{text}"
            );
        }
        assert_eq!(pointer("").text(&json!("whole")).unwrap().expose(), "whole");
        for wrong in ["data", "data/token", "/a~", "/a~2b"] {
            assert!(JsonPointer::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn each_name_can_be_pointed_at(name in "\\PC{0,20}", document in "\\PC{0,40}") {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            let found = pointer(&format!("/{escaped}")).text(&json!({name: "found"}));
            prop_assert!(found.is_some_and(|found| found.expose() == "found"));
            if let (Ok(pointer), Ok(document)) = (JsonPointer::try_from(escaped), serde_json::from_str(&document)) {
                let _ = pointer.text(&document);
            }
        }
    }
}
