//! The statuses by which a server says that it was told.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// Statuses of one list; there are fewer that a server uses for one thing
const LIMIT: usize = 20;

/// One status or several; none means any 2xx
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statuses(Vec<u16>);

impl Statuses {
    /// Whether a status is one of them.
    pub(super) fn has(&self, status: u16) -> bool {
        if self.0.is_empty() { (200..300).contains(&status) } else { self.0.contains(&status) }
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("2xx");
        }
        let texts: Vec<_> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&texts.join(" or "))
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusesVisitor)
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let status = json_schema!({ "type": "integer", "minimum": 100, "maximum": 599 });
        let list = json_schema!({ "type": "array", "items": status, "minItems": 1, "maxItems": LIMIT });
        json_schema!({ "anyOf": [status, list] })
    }
}

struct StatusesVisitor;

impl<'de> Visitor<'de> for StatusesVisitor {
    type Value = Statuses;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a status such as 200, or a list of them")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Statuses, E> {
        Ok(Statuses(vec![status(number)?]))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Statuses, E> {
        Ok(Statuses(vec![status(u64::try_from(number).unwrap_or_default())?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Statuses, A::Error> {
        let mut statuses = Vec::new();
        while let Some(number) = list.next_element::<u64>()? {
            if statuses.len() == LIMIT {
                return Err(A::Error::custom(format_args!("more than {LIMIT} statuses")));
            }
            statuses.push(status(number)?);
        }
        if statuses.is_empty() { Err(A::Error::custom("a list of no status")) } else { Ok(Statuses(statuses)) }
    }
}

fn status<E: Error>(number: u64) -> Result<u16, E> {
    let status = u16::try_from(number).ok().filter(|status| (100..600).contains(status));
    status.ok_or_else(|| E::custom("this is not a status: write a number from 100 to 599"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_status_or_several_or_any_success() {
        let read = |value| serde_json::from_value::<Statuses>(value).map_err(|error| error.to_string());
        let (one, two, any) = (read(json!(204)).unwrap(), read(json!([200, 404])).unwrap(), Statuses::default());
        assert_eq!([one.to_string(), two.to_string(), any.to_string()], ["204", "200 or 404", "2xx"]);
        assert_eq!(
            [one.has(204), one.has(200), two.has(404), any.has(299), any.has(302)],
            [true, false, true, true, false]
        );
        for wrong in [json!(2000), json!(-1), json!([99])] {
            assert_eq!(read(wrong).unwrap_err(), "this is not a status: write a number from 100 to 599");
        }
        assert_eq!(read(json!([])).unwrap_err(), "a list of no status");
        assert!(read(json!("200")).unwrap_err().contains("a status such as 200, or a list of them"));
        assert_eq!(read(json!(vec![200; 21])).unwrap_err(), "more than 20 statuses");
    }
}
