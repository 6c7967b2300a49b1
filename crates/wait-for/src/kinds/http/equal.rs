//! Whether two JSON texts are one value: numbers by what they are worth, objects in any order.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::number::number;

/// Levels of arrays and objects within each other that are compared, as many as `serde_json` reads
const DEPTH_LIMIT: usize = 128;

/// The kind of a JSON value, by its first byte
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Object,
    Scalar,
}

impl Kind {
    pub(super) fn of(value: &RawValue) -> Self {
        match value.get().as_bytes().first() {
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            _ => Self::Scalar,
        }
    }
}

/// Whether two texts are the same value. What lies deeper than the limit is not the same.
pub(super) fn are_equal(one: &RawValue, other: &RawValue) -> bool {
    are_equal_within(DEPTH_LIMIT, one, other)
}

fn are_equal_within(levels: usize, one: &RawValue, other: &RawValue) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return false };
    match (Kind::of(one), Kind::of(other)) {
        (Kind::Scalar, Kind::Scalar) => are_equal_scalars(one, other),
        (Kind::Array, Kind::Array) => {
            let items = |value| parsed::<Vec<&RawValue>>(value);
            items(one).zip(items(other)).is_some_and(|(one, other)| {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| are_equal_within(levels, one, other))
            })
        }
        (Kind::Object, Kind::Object) => {
            // Of two members with one name, the last counts.
            let members = |value| parsed::<BTreeMap<String, &RawValue>>(value);
            members(one).zip(members(other)).is_some_and(|(one, other)| {
                one.keys().eq(other.keys())
                    && one.values().zip(other.values()).all(|(one, other)| are_equal_within(levels, one, other))
            })
        }
        _ => false,
    }
}

fn are_equal_scalars(one: &RawValue, other: &RawValue) -> bool {
    if one.get() == other.get() {
        return true;
    }
    let strings = string(one).zip(string(other)).is_some_and(|(one, other)| one == other);
    let numbers = || number(one.get()).zip(number(other.get())).is_some_and(|(one, other)| one == other);
    strings || numbers()
}

/// The text of a string; `None` for another value.
pub(super) fn string(value: &RawValue) -> Option<String> {
    parsed(value)
}

fn parsed<'a, T: serde::Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_equal(one: &str, other: &str) -> bool {
        let raw = |text| serde_json::from_str::<&RawValue>(text).unwrap();
        are_equal(raw(one), raw(other))
    }

    #[test]
    fn numbers_are_compared_by_their_value_at_every_depth() {
        for (one, other) in [
            ("[1.0]", "[1]"),
            (r#"{"b": 1.0}"#, r#"{"b":1}"#),
            ("[1e2]", "[100]"),
            ("[[12345678901234567890123]]", "[[12345678901234567890123.0]]"),
            (r#"{"x":1,"y":[2]}"#, r#"{"y":[2.0],"x":1}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"["\u0061", true, null]"#, r#"["a",true,null]"#),
            ("1e99999999999999999999", "1e99999999999999999999"),
        ] {
            assert!(is_equal(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("[12345678901234567890123]", "[12345678901234567890124]"),
            ("[9007199254740993.0]", "[9007199254740992.0]"),
            ("[1]", "[1,2]"),
            ("[1]", "1"),
            ("{}", "[]"),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            (r#"["1"]"#, "[1]"),
            ("true", "false"),
        ] {
            assert!(!is_equal(one, other), "{one} {other}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(is_equal(&nested(100), &nested(100)));
        assert!(!is_equal(&nested(30_000), &nested(30_000)));
    }
}
