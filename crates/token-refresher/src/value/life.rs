//! How long a value is valid, from what a server says. Servers say wrong things; the README has what is made of them.
//!
//! Pure: the server's clock is an argument.

use std::time::{Duration, SystemTime};

use base64::{Engine, alphabet, engine::DecodePaddingMode, engine::GeneralPurpose, engine::GeneralPurposeConfig};
use serde_json::Value;

use crate::{value::bounded_json, value::date::rfc3339};

/// A value is fetched again at least once a year, whatever its server says.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Unix times from here on are milliseconds: as seconds, this is in the year 5138.
const FIRST_MILLISECONDS: f64 = 1e11;
/// Base64url of RFC 7515. Some issuers pad it, which does no harm.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is wrong with a life, for an error behind the name of its field
type Fault = &'static str;

/// The life that a number of seconds means (`expires_in` of RFC 6749, section 5.1), also as a text. `null` means nothing.
/// Fractions are left off, and a life of many years is one of a year.
pub(crate) fn of_seconds(value: &Value) -> Result<Option<Duration>, Fault> {
    let Some(seconds) = number(value)? else { return Ok(None) };
    if seconds < 1.0 {
        return Err("less than a second: the value has expired already");
    }
    Ok(Some(bounded(Duration::try_from_secs_f64(seconds.floor()).unwrap_or(LONGEST))))
}

/// The moment that a value means: RFC 3339, or a Unix time in seconds or milliseconds, also as a text. `null` means none.
pub(crate) fn moment(value: &Value) -> Result<Option<SystemTime>, Fault> {
    if let Some(time) = value.as_str().and_then(|text| rfc3339(text.trim())) {
        return Ok(Some(time));
    }
    let fault = "neither a date of RFC 3339 nor a Unix time";
    let Some(number) = number(value).map_err(|_| fault)? else { return Ok(None) };
    let seconds = if number >= FIRST_MILLISECONDS { number / 1000.0 } else { number };
    let since = Duration::try_from_secs_f64(seconds).map_err(|_| fault)?;
    // What no clock can show is a matter of many years.
    let far = || SystemTime::UNIX_EPOCH + Duration::from_secs(u32::MAX.into());
    Ok(Some(SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or_else(far)))
}

/// The life up to this moment of the server's clock.
pub(crate) fn until(expiry: SystemTime, server_now: SystemTime) -> Result<Duration, Fault> {
    match expiry.duration_since(server_now) {
        Ok(life) if !life.is_zero() => Ok(bounded(life)),
        _ => Err("in the past: the value has expired already"),
    }
}

/// The life of a token: what the server says (`expires_in`), but no longer than the token itself says where it is a JWT whose
/// `exp` is still to come.
pub(crate) fn of_token(
    expires_in: Option<&Value>,
    token: &str,
    server_now: SystemTime,
) -> Result<Option<Duration>, Fault> {
    or_own(expires_in.map_or(Ok(None), of_seconds)?, token, server_now)
}

/// The same where the server's word has been read already.
pub(crate) fn or_own(said: Option<Duration>, token: &str, server_now: SystemTime) -> Result<Option<Duration>, Fault> {
    let own = of_jwt(token, server_now);
    match (said, own) {
        // Verifiers go by `exp`. One in the past proves little against the server's word, because its clock may be wrong.
        (Some(said), Some(Ok(own))) => Ok(Some(said.min(own))),
        (Some(said), _) => Ok(Some(said)),
        (None, Some(own)) => own.map(Some),
        (None, None) => Ok(None),
    }
}

/// What is left of the life of a JWT by its `exp` (RFC 7519, section 4.1.4), but no more than it had when it was issued
/// (`iat`), because a clock may be far behind; `None` for any other token. Nothing is verified: the token is for others.
pub(crate) fn of_jwt(token: &str, now: SystemTime) -> Option<Result<Duration, Fault>> {
    let claims = jwt_claims(token)?;
    let expiry = claim(&claims, "exp")?;
    let whole = claim(&claims, "iat").and_then(|issued| until(expiry, issued).ok()).unwrap_or(LONGEST);
    Some(until(expiry, now).map(|life| life.min(whole)))
}

/// A moment that a JWT names
fn claim(claims: &Value, name: &str) -> Option<SystemTime> {
    match claims.get(name)? {
        number @ Value::Number(_) => moment(number).ok()?,
        _ => None,
    }
}

fn jwt_claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    bounded_json::read(&BASE64URL.decode(payload).ok()?).ok()
}

fn number(value: &Value) -> Result<Option<f64>, Fault> {
    let number = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite()).map(Some).ok_or("no number")
}

fn bounded(life: Duration) -> Duration {
    life.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn jwt(claims: &Value) -> String {
        format!("eyJhbGciOiJub25lIn0.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn wrong_numbers_of_seconds() {
        for (value, seconds) in [
            (json!(3600), Ok(Some(3600))),
            (json!("3600"), Ok(Some(3600))),
            (json!(" 3600 "), Ok(Some(3600))),
            (json!(3599.9), Ok(Some(3599))),
            (json!(null), Ok(None)),
            (json!(10 * 365 * 24 * 3600), Ok(Some(LONGEST.as_secs()))),
            (json!(u64::MAX), Ok(Some(LONGEST.as_secs()))),
            (json!(1e300), Ok(Some(LONGEST.as_secs()))),
        ] {
            assert_eq!(of_seconds(&value), seconds.map(|seconds| seconds.map(Duration::from_secs)), "{value}");
        }
        for value in [json!(0), json!(-1), json!(0.9), json!("0"), json!(i64::MIN)] {
            assert!(of_seconds(&value).unwrap_err().contains("expired already"), "{value}");
        }
        for value in [json!("soon"), json!(""), json!("inf"), json!("NaN"), json!([1]), json!({}), json!(true)] {
            assert_eq!(of_seconds(&value), Err("no number"), "{value}");
        }
    }

    #[test]
    fn moments() {
        for (value, expected) in [
            (json!("2026-11-24T09:58:45Z"), Some(at(1_795_514_325))),
            (json!(1_795_514_325), Some(at(1_795_514_325))),
            (json!("1795514325"), Some(at(1_795_514_325))),
            (json!(1_795_514_325_000_u64), Some(at(1_795_514_325))),
            (json!(null), None),
        ] {
            assert_eq!(moment(&value), Ok(expected), "{value}");
        }
        for value in [json!("tomorrow"), json!(-5), json!(true), json!("2026-11-24")] {
            assert!(moment(&value).is_err(), "{value}");
        }
        assert_eq!(moment(&json!(1e300)).map(|far| far.is_some()), Err("neither a date of RFC 3339 nor a Unix time"));
        assert_eq!(until(at(10), at(4)), Ok(Duration::from_secs(6)));
        assert!(until(at(10), at(10)).is_err() && until(at(10), at(11)).is_err());
        assert_eq!(until(at(9_999_999_999), at(0)), Ok(LONGEST));
    }

    #[test]
    fn a_jwt_says_when_it_expires() {
        let life = |claims: Value| of_jwt(&jwt(&claims), at(400)).map(|life| life.map(|life| life.as_secs()));
        assert_eq!(life(json!({"exp": 1000})), Some(Ok(600)));
        assert_eq!(life(json!({"exp": "1000"})), None);
        assert_eq!(life(json!({"sub": "a"})), None);
        // A clock that is far behind, one that is ahead, and times of issue that mean nothing
        assert_eq!(life(json!({"exp": 1_800_000_300, "iat": 1_800_000_000})), Some(Ok(300)));
        assert_eq!(life(json!({"exp": 1000, "iat": 100})), Some(Ok(600)));
        for odd in [json!(1000), json!(2000), json!("1"), json!(-1), json!(null), json!(1e300)] {
            assert_eq!(life(json!({"exp": 1000, "iat": odd})), Some(Ok(600)), "{odd}");
        }
        assert!(life(json!({"exp": 400, "iat": 100})).is_some_and(|life| life.is_err()));
        for token in ["", "opaque", "a.b", "a.b.c", "..", "a.e30.c.d.e", "hvs.CAESI"] {
            assert_eq!(of_jwt(token, at(400)), None, "{token}");
        }
    }

    #[test]
    fn a_token_lives_as_long_as_both_say() {
        let life = |expires_in: Option<Value>, exp: Option<u64>| {
            let token = exp.map_or("opaque".to_owned(), |exp| jwt(&json!({"exp": exp})));
            of_token(expires_in.as_ref(), &token, at(1000)).map(|life| life.map(|life| life.as_secs()))
        };
        assert_eq!(life(None, None), Ok(None));
        assert_eq!(life(Some(json!(60)), None), Ok(Some(60)));
        assert_eq!(life(None, Some(1100)), Ok(Some(100)));
        assert_eq!(life(Some(json!(null)), Some(1100)), Ok(Some(100)));
        assert_eq!(life(Some(json!(60)), Some(1100)), Ok(Some(60)));
        assert_eq!(life(Some(json!(3600)), Some(1100)), Ok(Some(100)));
        assert_eq!(life(Some(json!(60)), Some(900)), Ok(Some(60)));
        assert!(life(None, Some(900)).is_err());
        assert!(life(Some(json!(0)), Some(1100)).is_err());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,30}".prop_map(Value::from),
            "-?[0-9]{0,40}(\\.[0-9]{0,9})?(e[0-9]{1,4})?".prop_map(Value::from),
        ]
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_a_life_has_bounds(value in any_value(), token in "\\PC{0,60}", now in any::<u32>()) {
            if let Ok(Some(life)) = of_token(Some(&value), &token, at(now.into())) {
                prop_assert!((Duration::from_secs(1)..=LONGEST).contains(&life));
            }
            if let Ok(Some(expiry)) = moment(&value) {
                prop_assert!(until(expiry, at(now.into())).is_ok_and(|life| life <= LONGEST) || expiry <= at(now.into()));
            }
        }

        #[test]
        fn no_payload_of_a_jwt_is_too_strange(payload in "\\PC{0,60}", claims in any_value()) {
            let token = format!("e30.{}.c", BASE64_URL_SAFE_NO_PAD.encode(&payload));
            for token in [token, format!("e30.{payload}.c"), jwt(&json!({"exp": claims, "iat": claims}))] {
                let _ = of_jwt(&token, at(400));
            }
        }
    }
}
