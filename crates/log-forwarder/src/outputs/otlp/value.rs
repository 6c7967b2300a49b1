//! Values with their types: `AnyValue` and `KeyValue` of OpenTelemetry's common.proto.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::protobuf::{bytes, delimited_length, fixed_64, head, number};
use crate::format::record::Value;

/// Fields of `AnyValue`
const STRING: u32 = 1;
const BOOLEAN: u32 = 2;
const INTEGER: u32 = 3;
const DOUBLE: u32 = 4;
const ARRAY: u32 = 5;
const MAP: u32 = 6;
/// Fields of `KeyValue`
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// The field of `ArrayValue` and of `KeyValueList`
const VALUES: u32 = 1;

/// Writes a field that is an `AnyValue` with this text.
pub(super) fn text(field: u32, text: &str, out: &mut Vec<u8>) {
    head(field, delimited_length(text.len()), out);
    bytes(STRING, text.as_bytes(), out);
}

/// Writes a field that is a `KeyValue` with this text.
pub(super) fn attribute(field: u32, name: &str, value: &str, out: &mut Vec<u8>) {
    let length = delimited_length(name.len()) + delimited_length(delimited_length(value.len()));
    head(field, length, out);
    bytes(KEY, name.as_bytes(), out);
    text(VALUE, value, out);
}

/// The same, with a value of its own type; a value that is no JSON is a text.
pub(super) fn typed_attribute(field: u32, name: &str, value: &Value, out: &mut Vec<u8>) {
    let json = match value {
        Value::Text(value) => return attribute(field, name, value, out),
        Value::Json(json) => json,
    };
    match serde_json::from_str::<AnyValue>(json) {
        Ok(AnyValue(value)) => pair(field, name, &value, out),
        Err(_) => attribute(field, name, json, out),
    }
}

fn pair(field: u32, name: &str, value: &[u8], out: &mut Vec<u8>) {
    head(field, delimited_length(name.len()) + delimited_length(value.len()), out);
    bytes(KEY, name.as_bytes(), out);
    bytes(VALUE, value, out);
}

/// An `AnyValue` from JSON, as it is on the wire
struct AnyValue(Vec<u8>);

impl AnyValue {
    fn of(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Vec::new();
        write(&mut bytes);
        Self(bytes)
    }
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Json)
    }
}

struct Json;

impl<'de> Visitor<'de> for Json {
    type Value = AnyValue;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// An `AnyValue` without a value is null.
    fn visit_unit<E: Error>(self) -> Result<AnyValue, E> {
        Ok(AnyValue(Vec::new()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<AnyValue, E> {
        Ok(AnyValue::of(|out| number(BOOLEAN, value.into(), out)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<AnyValue, E> {
        Ok(AnyValue::of(|out| number(INTEGER, value.cast_unsigned(), out)))
    }

    /// A number that an int64 does not hold is a text of its digits.
    fn visit_u64<E: Error>(self, value: u64) -> Result<AnyValue, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_str(&value.to_string()),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<AnyValue, E> {
        Ok(AnyValue::of(|out| fixed_64(DOUBLE, value.to_bits(), out)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AnyValue, E> {
        Ok(AnyValue::of(|out| bytes(STRING, text.as_bytes(), out)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<AnyValue, A::Error> {
        let mut list = Vec::new();
        while let Some(AnyValue(value)) = values.next_element()? {
            bytes(VALUES, &value, &mut list);
        }
        Ok(AnyValue::of(|out| bytes(ARRAY, &list, out)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<AnyValue, A::Error> {
        let mut list = Vec::new();
        while let Some((name, AnyValue(value))) = entries.next_entry::<String, _>()? {
            pair(VALUES, &name, &value, &mut list);
        }
        Ok(AnyValue::of(|out| bytes(MAP, &list, out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_types() {
        let any = |json: &str| serde_json::from_str::<AnyValue>(json).map(|any| any.0).ok();
        assert_eq!(any("null"), Some(vec![]));
        assert_eq!(any("true"), Some(vec![0x10, 1]));
        assert_eq!(any("200"), Some(vec![0x18, 0xc8, 1]));
        assert_eq!(any("-1").unwrap(), b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(any("0.5").unwrap(), b"\x21\0\0\0\0\0\0\xe0\x3f");
        assert_eq!(any("18446744073709551615").unwrap(), b"\x0a\x1418446744073709551615");
        assert_eq!(
            any(r#"["x",{"a":null}]"#).unwrap(),
            b"\x2a\x10\x0a\x03\x0a\x01x\x0a\x09\x32\x07\x0a\x05\x0a\x01a\x12\x00"
        );
        assert!(any("[1").is_none());
    }

    #[test]
    fn an_attribute_has_a_name_and_a_value() {
        let (mut text, mut json) = (Vec::new(), Vec::new());
        typed_attribute(6, "k", &Value::Text("v".into()), &mut text);
        assert_eq!(text, b"\x32\x08\x0a\x01k\x12\x03\x0a\x01v");
        typed_attribute(6, "k", &Value::Json("7".into()), &mut json);
        assert_eq!(json, b"\x32\x07\x0a\x01k\x12\x02\x18\x07");
    }
}
