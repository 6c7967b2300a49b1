//! A refresh token that may rotate: each use may give a new one and use up the old one (RFC 9700, section 4.14.2).
//!
//! Invariants: a new token is on the disk before the values that came with it go anywhere; a token that was refused is not
//! sent again; a token that may be used up is sent again once within a short grace, and then only when nothing is left to
//! lose.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use lifecycle::Secret;
use tokio::sync::Mutex;

use super::rotated_file::{RotatedFile, Seed};
use crate::{
    value::fetch_error::FetchError,
    value::input::{Input, Inputs},
};

/// Servers with a grace take a used token for the repeated request of the same client, within 10 s to some minutes.
const GRACE: Duration = Duration::from_secs(60);

/// The refresh token of the settings and what became of it
#[derive(Clone)]
pub(super) struct RefreshToken {
    given: Input,
    state: Arc<Mutex<State>>,
}

/// Without the state: the text of a source is how another process knows it again.
impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_tuple("RefreshToken").field(&self.given).finish()
    }
}

#[derive(Debug)]
struct State {
    file: Option<RotatedFile>,
    chain: Option<Chain>,
}

/// The tokens that one seed became
#[derive(Debug)]
struct Chain {
    seed: Seed,
    current: Secret,
    /// The server has replaced a token of this chain before
    rotates: bool,
    /// `current` is in memory only
    unsaved: bool,
    fate: Fate,
    /// When the values of the last success expire
    held_until: Option<Instant>,
}

/// What the server may have made of `current`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unused,
    /// A request was sent and its answer was lost, at this moment
    Open {
        since: Instant,
        tried_again: bool,
    },
    Refused,
}

/// What came of a request with the token
pub(super) enum Outcome {
    /// It did not reach the server, or the server had nothing to do with it
    Untouched,
    /// Nobody knows
    Lost,
    /// The server says that the token is no good
    Refused,
    /// The values live this long; the server may have given a new token.
    Success { new: Option<Secret>, life: Option<Duration> },
}

impl RefreshToken {
    pub(super) fn new(given: Input, file: Option<RotatedFile>) -> Self {
        Self { given, state: Arc::new(State { file, chain: None }.into()) }
    }

    pub(super) fn given(&self) -> &Input {
        &self.given
    }

    /// The token to send now. From here on its fate is open, until [`settle`](Self::settle) is told of it.
    pub(super) async fn take(&self, now: Instant, inputs: &Inputs) -> Result<Secret, FetchError> {
        let given = self.given.read(inputs).await?;
        let mut state = self.state.lock().await;
        let State { file, chain } = &mut *state;
        let seed = Seed::of(&given);
        // A new seed replaces the chain of the old one.
        let chain = if let Some(known) = chain.take_if(|chain| chain.seed == seed) {
            chain.insert(known)
        } else {
            let saved = match file {
                Some(file) => file.read(&seed).await?,
                None => None,
            };
            let rotates = saved.is_some();
            let current = saved.unwrap_or(given);
            chain.insert(Chain { seed, current, rotates, unsaved: false, fate: Fate::Unused, held_until: None })
        };
        if let Some(file) = file.as_ref().filter(|_| chain.unsaved) {
            file.write(&chain.seed, &chain.current).await?;
            chain.unsaved = false;
        }
        chain.fate = chain.decide(now)?;
        Ok(chain.current.clone())
    }

    /// Takes what came of the request, and saves a new token.
    pub(super) async fn settle(&self, now: Instant, outcome: Outcome) -> Result<(), FetchError> {
        let mut state = self.state.lock().await;
        let State { file, chain: Some(chain) } = &mut *state else { return Ok(()) };
        match outcome {
            // The fate before this request is not known any more, but nothing has become worse.
            Outcome::Untouched => chain.fate = chain.fate.untouched(),
            Outcome::Lost => {}
            Outcome::Refused => chain.fate = Fate::Refused,
            Outcome::Success { new, life } => {
                chain.fate = Fate::Unused;
                chain.held_until = life.and_then(|life| now.checked_add(life));
                let new = new.filter(|new| new.expose() != chain.current.expose());
                let has_rotated = std::mem::replace(&mut chain.rotates, new.is_some());
                let Some(new) = new else { return Ok(()) };
                (chain.current, chain.unsaved) = (new, true);
                match file {
                    Some(file) => {
                        file.write(&chain.seed, &chain.current).await?;
                        chain.unsaved = false;
                    }
                    None if !has_rotated => tracing::warn!(
                        "the server rotates refresh tokens, and a restart loses this one: set rotated-token-file"
                    ),
                    None => {}
                }
            }
        }
        Ok(())
    }
}

impl Chain {
    /// The fate of the token once it is sent, if it may be sent.
    fn decide(&self, now: Instant) -> Result<Fate, FetchError> {
        let refused = "the refresh token was refused, and is not sent again: give a new one";
        match self.fate {
            Fate::Refused => Err(FetchError::Refused(refused.into())),
            Fate::Unused => Ok(Fate::Open { since: now, tried_again: false }),
            // Without rotation a token has any number of uses.
            Fate::Open { since, .. } if !self.rotates => Ok(Fate::Open { since, tried_again: false }),
            Fate::Open { since, tried_again: false } if now.duration_since(since) <= GRACE => {
                Ok(Fate::Open { since, tried_again: true })
            }
            // A server that sees a used token again revokes all that came of it, also the values that we still hold.
            Fate::Open { since, .. } => match self.held_until.filter(|until| now < *until) {
                None => Ok(Fate::Open { since, tried_again: true }),
                Some(until) => Err(FetchError::Unavailable {
                    reason: "the answer to the last refresh was lost, and its token may be used up: \
                             it is sent again when the values that it gave have expired"
                        .into(),
                    retry_after: Some(until - now),
                }),
            },
        }
    }
}

impl Fate {
    /// After a request that the server had nothing to do with.
    fn untouched(self) -> Self {
        match self {
            Self::Open { since, tried_again: true } => Self::Open { since, tried_again: false },
            _ => Self::Unused,
        }
    }
}
