//! What the KV engine answers with, of both versions.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use lifecycle::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

use crate::{value::fields::Fields, value::life};

/// The main field of a secret with several fields
const VALUE: &str = "value";

/// A version of the engine
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(schema_with = "engine_schema")]
pub(super) enum Engine {
    /// One value a path; also what cubbyholes do
    V1,
    /// Versions of values
    V2,
}

/// Where a secret is
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) engine: Engine,
    /// With a slash at the end
    pub(super) mount: String,
    pub(super) path: String,
}

/// The values of a secret, and how long they are valid
pub(super) struct Values {
    pub(super) fields: Fields,
    pub(super) life: Option<Duration>,
}

impl Place {
    /// The place of a path, by the answer of `sys/internal/ui/mounts`.
    pub(super) fn of_preflight(document: &Value, path: &str) -> Result<Self, String> {
        let data = &document["data"];
        let mount = data["path"].as_str().ok_or("without the path of the mount")?;
        let path = path.strip_prefix(mount).filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| format!("about {mount}, which is no part of the path"))?;
        let engine = match (data["type"].as_str(), data["options"]["version"].as_str()) {
            (Some("kv"), Some("2")) => Engine::V2,
            (Some("kv" | "generic" | "cubbyhole"), _) => Engine::V1,
            (kind, _) => return Err(format!("of a mount that is no KV engine, but {}", kind.unwrap_or("another one"))),
        };
        Ok(Self { engine, mount: mount.into(), path: path.into() })
    }

    /// The path of the API
    pub(super) fn data_path(&self) -> String {
        let between = if self.engine == Engine::V2 { "data/" } else { "" };
        format!("{}{between}{}", self.mount, self.path)
    }
}

impl Values {
    /// The values in an answer. With `document`, a field of this name holds all of them as JSON.
    pub(super) fn of(
        document: &Value,
        engine: Engine,
        whole: Option<&str>,
        server_now: SystemTime,
    ) -> Result<Self, &'static str> {
        let data = &document["data"];
        let (object, life) = match engine {
            Engine::V1 => (data, advised_life(document)),
            Engine::V2 => (&data["data"], life_of_version(data, server_now)?),
        };
        let object = object.as_object().ok_or("without data")?;
        Ok(Self { fields: fields(object, whole)?, life })
    }
}

/// Why there is no such secret: an answer with the status 404 tells of versions that were deleted.
pub(super) fn absence(document: &Value) -> String {
    let metadata = &document["data"]["metadata"];
    let version = metadata["version"].as_u64().unwrap_or_default();
    match metadata["deletion_time"].as_str() {
        _ if metadata["destroyed"] == true => format!("version {version} was destroyed: write a new one"),
        Some(time) if !time.is_empty() => {
            // Only a date: the text goes into a log.
            let is_of_a_date = |c: &char| c.is_ascii_digit() || "-:TZ".contains(*c);
            let date: String = time.chars().take_while(is_of_a_date).take("2026-01-01T00:00:00Z".len()).collect();
            format!("version {version} was deleted at {date}: undelete it or write a new one")
        }
        _ => "there is none at this path, or no such version of it".into(),
    }
}

/// A secret of version 1 has a life only if it says so itself, by a key `ttl` or `lease`. For any other one the server answers
/// with a general default of a month, which says nothing.
fn advised_life(document: &Value) -> Option<Duration> {
    let says_so = ["ttl", "lease"].iter().any(|key| document["data"].get(key).is_some());
    if says_so { life::of_seconds(&document["lease_duration"]).ok()? } else { None }
}

/// A version that will be deleted (`delete_version_after`) is valid until then.
fn life_of_version(data: &Value, server_now: SystemTime) -> Result<Option<Duration>, &'static str> {
    let time = &data["metadata"]["deletion_time"];
    if time.as_str().is_none_or(str::is_empty) {
        return Ok(None);
    }
    let fault = "wrong: deletion_time is not a date in the future";
    let moment = life::moment(time).map_err(|_| fault)?;
    moment.map(|moment| life::until(moment, server_now)).transpose().map_err(|_| fault)
}

/// Texts as they are, anything else as JSON. The only field of a secret is its main one.
fn fields(object: &Map<String, Value>, whole: Option<&str>) -> Result<Fields, &'static str> {
    let mut values = BTreeMap::new();
    for (name, value) in object {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => Secret::from(text.as_str()),
            other => other.to_string().as_str().into(),
        };
        values.insert(name.clone(), text);
    }
    if values.is_empty() {
        return Err("a secret without fields");
    }
    let main = match (whole, values.keys().next()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(only)) if values.len() == 1 => only.clone(),
        _ => VALUE.to_owned(),
    };
    if let Some(name) = whole {
        let json = serde_json::to_string(object).map_err(|_| "no JSON")?;
        if values.insert(name.to_owned(), json.as_str().into()).is_some() {
            return Err("a secret that has a field of the name that `whole` gives: choose another one");
        }
    }
    Ok(Fields::new(main, values))
}

impl<'de> Deserialize<'de> for Engine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            _ => Err(D::Error::custom("the engine has the version 1 or 2")),
        }
    }
}

fn engine_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "description": "The version of the KV engine", "enum": [1, 2] })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text<'a>(values: &'a Values, name: Option<&str>) -> Option<&'a str> {
        values.fields.get(name).map(Secret::expose)
    }

    #[test]
    fn a_preflight_tells_the_mount_and_the_version() {
        let place = |kind: &str, options: Value| {
            let document = json!({"data": {"path": "team/secret/", "type": kind, "options": options}});
            Place::of_preflight(&document, "team/secret/billing/db").map(|place| (place.engine, place.data_path()))
        };
        let old = Ok((Engine::V1, "team/secret/billing/db".to_owned()));
        assert_eq!(place("kv", json!({"version": "2"})), Ok((Engine::V2, "team/secret/data/billing/db".to_owned())));
        assert_eq!(place("kv", json!({"version": "1"})), old);
        assert_eq!(place("kv", json!(null)), old);
        assert_eq!(place("cubbyhole", json!(null)), old);
        assert_eq!(place("pki", json!(null)).unwrap_err(), "of a mount that is no KV engine, but pki");
        let other = json!({"data": {"path": "other/", "type": "kv"}});
        assert!(Place::of_preflight(&other, "team/secret/db").is_err());
        assert!(Place::of_preflight(&json!({}), "team/secret/db").is_err());
    }

    #[test]
    fn values_of_both_versions() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let one = json!({"lease_duration": 2_764_800, "data": {"password": "p"}});
        let values = Values::of(&one, Engine::V1, None, now).unwrap();
        assert_eq!((text(&values, None), values.life), (Some("p"), None));
        let advised = json!({"lease_duration": 60, "data": {"password": "p", "ttl": "1m"}});
        let values = Values::of(&advised, Engine::V1, None, now).unwrap();
        assert_eq!((text(&values, None), values.life), (None, Some(Duration::from_secs(60))));
        let data = json!({"user": "u", "port": 5432, "none": null, "list": ["a"]});
        let two = json!({"data": {"data": data, "metadata": {"deletion_time": "", "version": 1}}});
        let values = Values::of(&two, Engine::V2, Some("all"), now).unwrap();
        assert_eq!((text(&values, Some("port")), text(&values, Some("list"))), (Some("5432"), Some(r#"["a"]"#)));
        assert_eq!(text(&values, None), Some(r#"{"list":["a"],"none":null,"port":5432,"user":"u"}"#));
        assert_eq!((text(&values, Some("none")), values.life), (None, None));
        assert!(Values::of(&two, Engine::V2, Some("user"), now).is_err());
        assert!(Values::of(&json!({"data": {"data": {}}}), Engine::V2, None, now).is_err());
        assert!(Values::of(&json!({"data": {"data": null}}), Engine::V2, None, now).is_err());
    }

    #[test]
    fn a_version_lives_until_it_is_deleted() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let life = |time: &str| {
            let document = json!({"data": {"data": {"a": "b"}, "metadata": {"deletion_time": time}}});
            Values::of(&document, Engine::V2, None, now).map(|values| values.life)
        };
        assert_eq!(life("2027-01-15T08:01:00.5Z"), Ok(Some(Duration::from_millis(60_500))));
        assert!(life("2027-01-15T07:59:00Z").is_err() && life("soon").is_err());
    }

    #[test]
    fn an_absence_has_a_reason() {
        let gone = |metadata: Value| absence(&json!({"data": {"data": null, "metadata": metadata}}));
        assert_eq!(
            gone(json!({"version": 3, "destroyed": false, "deletion_time": "2026-11-26T23:00:00.123Z"})),
            "version 3 was deleted at 2026-11-26T23:00:00: undelete it or write a new one"
        );
        assert_eq!(gone(json!({"version": 3, "destroyed": true})), "version 3 was destroyed: write a new one");
        assert_eq!(absence(&json!({"errors": []})), "there is none at this path, or no such version of it");
    }
}
