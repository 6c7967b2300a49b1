//! A token of Vault or OpenBao, as answers describe it.

use std::{collections::BTreeMap, time::Duration};

use lifecycle::Secret;
use serde_json::Value;

use crate::{source::token_text::is_token, value::fetched::Fetched, value::fields::Fields, value::life};

/// The main field
pub(super) const TOKEN: &str = "token";
/// The name by which operators can revoke the token without knowing it
const ACCESSOR: &str = "accessor";

/// The most that is left of a life of 0 seconds, because servers round down
pub(super) const LAST_SECOND: Duration = Duration::from_secs(1);

/// The token that a login or a renewal answers with, or what is wrong with the answer
pub(super) fn of_login(document: &Value) -> Result<Fetched, &'static str> {
    let auth = document.get("auth").filter(|auth| auth.is_object()).ok_or("without a token (auth)")?;
    let token = match auth.get("client_token").and_then(Value::as_str) {
        Some(token) if !token.is_empty() => token,
        _ if auth.get("mfa_requirement").is_some_and(Value::is_object) => {
            return Err("a demand for a second factor, which a program cannot give");
        }
        _ => return Err("without a token (client_token)"),
    };
    if !is_token(token) {
        return Err("wrong: its client_token holds what no token can");
    }
    let life = lease(auth.get("lease_duration"))?;
    let accessor = auth.get(ACCESSOR).and_then(Value::as_str);
    Ok(fetched(token.into(), accessor, life, is_renewable(auth)))
}

/// A token with what the server says about it when it is looked up
pub(super) fn of_lookup(token: &Secret, document: &Value) -> Result<Fetched, &'static str> {
    let data = document.get("data").filter(|data| data.is_object()).ok_or("without data")?;
    // A token that ends has a time for that.
    let ends = data.get("expire_time").is_some_and(Value::is_string);
    let life = lease(data.get("ttl"))?.or(ends.then_some(LAST_SECOND));
    let accessor = data.get(ACCESSOR).and_then(Value::as_str);
    Ok(fetched(token.clone(), accessor, life, is_renewable(data)))
}

/// Whether a renewal has made the life shorter than it was: the server caps it at the maximum, and the next one would give
/// even less.
pub(super) fn is_capped(before: Option<Duration>, after: Option<Duration>) -> bool {
    matches!((before, after), (Some(before), Some(after)) if after < before)
}

fn fetched(token: Secret, accessor: Option<&str>, life: Option<Duration>, is_renewable: bool) -> Fetched {
    let accessor = accessor.filter(|accessor| !accessor.is_empty());
    let accessor = accessor.map(|accessor| (ACCESSOR.to_owned(), Secret::from(accessor)));
    let values: BTreeMap<_, _> = accessor.into_iter().chain([(TOKEN.to_owned(), token)]).collect();
    Fetched { fields: Fields::new(TOKEN, values), life, renewable: is_renewable && life.is_some() }
}

fn is_renewable(object: &Value) -> bool {
    object.get("renewable").and_then(Value::as_bool).unwrap_or_default()
}

/// Seconds; a token that never expires, such as the root token, has 0, and so has any in its last second.
fn lease(value: Option<&Value>) -> Result<Option<Duration>, &'static str> {
    match value {
        None => Err("without a life"),
        Some(seconds) if seconds.as_u64() == Some(0) => Ok(None),
        Some(seconds) => {
            life::of_seconds(seconds).map_err(|_| "wrong: the life of the token is not a number of seconds")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn auth(auth: &Value) -> Result<Fetched, &'static str> {
        of_login(&json!({"auth": auth}))
    }

    #[test]
    fn answers_to_logins() {
        let fetched =
            auth(&json!({"client_token": "s.1", "accessor": "a", "lease_duration": 60, "renewable": true})).unwrap();
        assert_eq!(fetched.fields.get(None).unwrap().expose(), "s.1");
        assert_eq!(fetched.fields.get(Some("accessor")).unwrap().expose(), "a");
        assert_eq!((fetched.life, fetched.renewable), (Some(Duration::from_secs(60)), true));
        let batch = auth(&json!({"client_token": "b.1", "accessor": "", "lease_duration": 60, "renewable": false}));
        let batch = batch.unwrap();
        assert_eq!((batch.fields.names().collect::<Vec<_>>(), batch.renewable), (vec!["token"], false));
        // A root token
        let root = auth(&json!({"client_token": "s.1", "lease_duration": 0, "renewable": true})).unwrap();
        assert_eq!((root.life, root.renewable), (None, false));
        for (wrong, fault) in [
            (json!(null), "without a token (auth)"),
            (json!({"client_token": ""}), "without a token (client_token)"),
            (json!({"client_token": "s.1\nX: y"}), "wrong: its client_token holds what no token can"),
            (
                json!({"client_token": "", "mfa_requirement": {}}),
                "a demand for a second factor, which a program cannot give",
            ),
            (json!({"client_token": "s.1"}), "without a life"),
            (
                json!({"client_token": "s.1", "lease_duration": -5}),
                "wrong: the life of the token is not a number of seconds",
            ),
        ] {
            assert_eq!(auth(&wrong).unwrap_err(), fault);
        }
    }

    #[test]
    fn answers_to_lookups() {
        let looked_up = of_lookup(&"s.1".into(), &json!({"data": {"ttl": 7, "renewable": true}})).unwrap();
        assert_eq!((looked_up.life, looked_up.renewable), (Some(Duration::from_secs(7)), true));
        let life = |expire_time: Value| {
            of_lookup(&"s.1".into(), &json!({"data": {"ttl": 0, "expire_time": expire_time}})).unwrap().life
        };
        assert_eq!((life("2026-11-28T23:53:23Z".into()), life(Value::Null)), (Some(LAST_SECOND), None));
        assert_eq!(of_lookup(&"s.1".into(), &json!({})).unwrap_err(), "without data");
    }

    #[test]
    fn a_shorter_life_is_a_capped_one() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert!(is_capped(seconds(60), seconds(59)));
        assert!(!is_capped(seconds(60), seconds(60)) && !is_capped(None, seconds(60)) && !is_capped(seconds(1), None));
    }
}
