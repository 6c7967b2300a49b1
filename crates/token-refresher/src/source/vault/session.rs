//! The token of a secret that has its login inside: one login serves many reads.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use lifecycle::Secret;
use tokio::sync::Mutex;

use super::login::Login;
use crate::{value::fetch_error::FetchError, value::fetched::Fetched, value::input::Inputs};

/// The shares of a token's life after which it is renewed, or replaced by that of a new login
const RENEW_AT: f64 = 0.66;
const LOGIN_AT: f64 = 0.8;

/// A token between two reads. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Session(Arc<Mutex<Option<Held>>>);

/// Without the token: the text of a source is how another process knows it again.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Session")
    }
}

#[derive(Debug)]
struct Held {
    token: Fetched,
    since: Instant,
}

/// What has to happen before a token is used
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Renewal,
    Login,
}

impl Session {
    /// The token to use now. A renewal or a login that fails leaves the one that is still valid.
    pub(super) async fn token(&self, login: Login<'_>, inputs: &Inputs) -> Result<Secret, FetchError> {
        let mut held = self.0.lock().await;
        let now = Instant::now();
        let (answer, valid) = match &*held {
            None => (login.fetch(inputs).await, None),
            Some(Held { token, since }) => {
                let age = now.duration_since(*since);
                let answer = match due(token, age) {
                    Due::Nothing => return value(token),
                    Due::Renewal => login.renew(token, inputs).await,
                    Due::Login => login.fetch(inputs).await,
                };
                (answer, Some(token).filter(|token| token.life.is_none_or(|life| age < life)))
            }
        };
        match (answer, valid) {
            (Ok(token), _) => {
                let secret = value(&token)?;
                *held = Some(Held { token, since: now });
                Ok(secret)
            }
            (Err(error), Some(token)) => {
                tracing::warn!(reason = error.label(), "cannot prolong the login, whose token is still valid: {error}");
                value(token)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// The next read logs in again: the server does not know this token any more.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

fn due(token: &Fetched, age: Duration) -> Due {
    match token.life {
        Some(life) if age >= life => Due::Login,
        Some(life) if token.renewable && age >= life.mul_f64(RENEW_AT) => Due::Renewal,
        Some(life) if !token.renewable && age >= life.mul_f64(LOGIN_AT) => Due::Login,
        _ => Due::Nothing,
    }
}

fn value(token: &Fetched) -> Result<Secret, FetchError> {
    token.fields.get(None).cloned().ok_or_else(|| FetchError::BadAnswer("the login has no token".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::fields::Fields;

    #[test]
    fn what_is_due_follows_the_life() {
        let seconds = Duration::from_secs;
        for (life, renewable, age, expected) in [
            (None, false, 1_000_000, Due::Nothing),
            (Some(100), true, 65, Due::Nothing),
            (Some(100), true, 66, Due::Renewal),
            (Some(100), true, 99, Due::Renewal),
            (Some(100), true, 100, Due::Login),
            (Some(100), false, 79, Due::Nothing),
            (Some(100), false, 80, Due::Login),
        ] {
            let token = Fetched { fields: Fields::single("token", "t".into()), life: life.map(seconds), renewable };
            assert_eq!(due(&token, seconds(age)), expected, "{life:?} {renewable} {age}");
        }
    }
}
