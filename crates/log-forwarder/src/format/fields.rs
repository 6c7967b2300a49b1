//! The fields that a format found, and which of them are the message and the time.

use std::{borrow::Cow, collections::HashSet};

use super::time::TimeRule;
use crate::format::record::{Field, Parsed, Value};

/// Names of the message, the first that is there
const MESSAGE: [&str; 3] = ["message", "msg", DOCKER];
/// Docker's name of the message, which has the newline in it that the app wrote
const DOCKER: &str = "log";
/// Up to here all names are compared with each other; that is faster than to hash them.
const FEW: usize = 24;

/// Takes message and time out of the fields, if they are there. Of fields of the same name the last
/// one counts.
pub(super) fn parsed<'a>(mut fields: Vec<Field<'a>>, rule: &TimeRule) -> Parsed<'a> {
    keep_last(&mut fields);
    let message = MESSAGE.iter().find_map(|name| {
        let at = fields.iter().position(|(key, value)| key == name && matches!(value, Value::Text(_)))?;
        let (_, Value::Text(text) | Value::Json(text)) = fields.remove(at);
        Some(if *name == DOCKER { without_newline(text) } else { text })
    });
    let time = rule.take(&mut fields);
    Parsed { time, message, fields, lacks_time: time.is_none() && rule.demands_time() }
}

/// The text without the end of its line
fn without_newline(text: Cow<'_, str>) -> Cow<'_, str> {
    let length = text.strip_suffix('\n').map_or(text.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    match text {
        Cow::Borrowed(text) => text[..length].into(),
        Cow::Owned(mut text) => {
            text.truncate(length);
            text.into()
        }
    }
}

/// Leaves out each field that has a namesake behind it.
pub(crate) fn keep_last<V>(fields: &mut Vec<(Cow<'_, str>, V)>) {
    let count = fields.len();
    if count <= FEW {
        let mut seen = 0;
        for at in (0..count).rev() {
            let mark = mark(&fields[at].0);
            if seen & mark != 0 && fields[at + 1..].iter().any(|(name, _)| *name == fields[at].0) {
                fields.remove(at);
            }
            seen |= mark;
        }
        return;
    }
    let mut seen = HashSet::with_capacity(count);
    let kept: Vec<bool> = fields.iter().rev().map(|(name, _)| seen.insert(&**name)).collect();
    if seen.len() < count {
        let mut kept = kept.into_iter().rev();
        fields.retain(|_| kept.next().unwrap_or_default());
    }
}

/// One of 64 bits. Most names that differ have different ones, and equal names have the same.
fn mark(name: &str) -> u64 {
    let ends = name.bytes().next().zip(name.bytes().next_back());
    let (first, last) = ends.map_or((0, 0), |(first, last)| (usize::from(first), usize::from(last)));
    1 << ((name.len() * 5 + first * 3 + last) % 64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: &'static str, value: &'static str) -> Field<'static> {
        (name.into(), Value::Text(value.into()))
    }

    fn parsed_usually(fields: Vec<Field<'_>>) -> Parsed<'_> {
        parsed(fields, &TimeRule::default())
    }

    #[test]
    fn message_and_time_are_no_fields() {
        let found =
            parsed_usually(vec![text("ts", "1795514325"), text("msg", "a"), text("level", "info"), text("log", "b")]);
        assert_eq!((found.time, found.message.as_deref()), (Some(1_795_514_325_000_000_000), Some("a")));
        assert_eq!(found.fields, [text("level", "info"), text("log", "b")]);
    }

    #[test]
    fn the_newline_of_docker_is_no_part_of_the_message() {
        let message = |name, value| parsed_usually(vec![text(name, value)]).message.unwrap();
        assert_eq!(["a\n", "a\r\n", "\n", "a", "a\n\n"].map(|log| message("log", log)), ["a", "a", "", "a", "a\n"]);
        assert_eq!(message("msg", "a\n"), "a\n");
    }

    #[test]
    fn what_is_no_message_and_no_time_stays() {
        let number = ("message".into(), Value::Json("5".into()));
        let found =
            parsed_usually(vec![number.clone(), text("time", "late"), text("@timestamp", "2026-11-24T09:58:45Z")]);
        assert_eq!((found.time, found.message), (Some(1_795_514_325_000_000_000), None));
        assert_eq!(found.fields, [number, text("time", "late")]);
    }

    proptest! {
        #[test]
        fn the_last_of_a_name_counts(names in proptest::collection::vec(0..40_u32, 0..60)) {
            let mut fields: Vec<Field<'_>> = names.iter().enumerate()
                .map(|(nth, name)| (format!("n{name}").into(), Value::Json(nth.to_string().into()))).collect();
            let expected: Vec<_> = fields.iter().enumerate()
                .filter(|(nth, (name, _))| !fields[nth + 1..].iter().any(|(other, _)| other == name))
                .map(|(_, field)| field.clone()).collect();
            keep_last(&mut fields);
            prop_assert_eq!(fields, expected);
        }
    }
}
