//! Logins to `MongoDB` by SCRAM, with SHA-256 or, for users from before version 4.0, with SHA-1.
//!
//! <https://github.com/mongodb/specifications/blob/master/source/auth/auth.md>

use endpoint::one_line;
use lifecycle::Secret;
use md5::{Digest, Md5};

use super::{
    bson::{self, Document},
    mongodb_wire::{Channel, not_mongodb, outcome},
};
use crate::{
    not_ready::NotReady,
    scram::{Hash, Scram, USUAL_ROUNDS},
    wire,
};

/// Steps after the first one: that of SCRAM, and an empty one of servers before version 4.4
const STEPS: usize = 2;

/// The part of a hello that asks for the mechanisms of a user
pub(super) fn ask_for_mechanisms(auth_source: &str, user: &str) -> Vec<u8> {
    bson::text("saslSupportedMechs", &format!("{auth_source}.{user}"))
}

/// Logs in at the database that has the user. `hello` is the answer to the question for mechanisms.
pub(super) async fn log_in(
    channel: &mut Channel,
    hello: &Document<'_>,
    auth_source: &str,
    user: &str,
    password: &Secret,
) -> Result<(), NotReady> {
    let hash = choose(&hello.texts("saslSupportedMechs"))?;
    let scram = Scram::new(hash, user, USUAL_ROUNDS)?;
    let password = match hash {
        Hash::Sha1 => older_password(user, password.expose()),
        _ => password.expose().to_owned(),
    };
    let start = [
        bson::number("saslStart", 1),
        bson::text("mechanism", hash.mechanism()),
        bson::binary("payload", scram.first_message().as_bytes()),
        bson::nested("options", &[bson::yes("skipEmptyExchange")]),
    ];
    let first = Step::read(&channel.ask(auth_source, &start).await?)?;
    let (mut payload, unproven) = scram.answer(&first.payload, &password).await?;
    let mut unproven = Some(unproven);
    for _ in 0..STEPS {
        let next = [
            bson::number("saslContinue", 1),
            bson::number("conversationId", first.conversation),
            bson::binary("payload", payload.as_bytes()),
        ];
        let step = Step::read(&channel.ask(auth_source, &next).await?)?;
        if let Some(unproven) = unproven.take() {
            unproven.check(&step.payload)?;
        }
        if step.is_done {
            return Ok(());
        }
        payload.clear();
    }
    Err(not_mongodb())
}

/// The server's part of a step
struct Step {
    conversation: i32,
    payload: String,
    is_done: bool,
}

impl Step {
    fn read(answer: &[u8]) -> Result<Self, NotReady> {
        let answer = outcome(answer)?;
        let payload = answer.binary("payload").and_then(|bytes| str::from_utf8(bytes).ok()).ok_or_else(not_mongodb)?;
        #[expect(clippy::cast_possible_truncation, reason = "it came as one of 32 bits, or is wrong anyhow")]
        let conversation = answer.number("conversationId").ok_or_else(not_mongodb)? as i32;
        Ok(Self { conversation, payload: payload.to_owned(), is_done: answer.is_true("done") })
    }
}

/// The mechanism for a user. A server names none for a user that it does not know, and refuses the
/// login then.
fn choose(offered: &[&str]) -> Result<Hash, NotReady> {
    let is_offered = |hash: &Hash| offered.contains(&hash.mechanism());
    match [Hash::Sha256, Hash::Sha1].into_iter().find(is_offered) {
        Some(hash) => Ok(hash),
        None if offered.is_empty() => Ok(Hash::Sha256),
        None => {
            let offered = one_line(&offered.join(", "));
            Err(NotReady::never(format!("the user has only logins that are not supported here: {offered}")))
        }
    }
}

/// The password in SCRAM-SHA-1: the hash that servers before SCRAM kept of it, in hexadecimal
/// digits
fn older_password(user: &str, password: &str) -> String {
    wire::hex(&Md5::new().chain_update(user).chain_update(":mongo:").chain_update(password).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mechanisms() {
        assert_eq!(choose(&["SCRAM-SHA-1", "SCRAM-SHA-256"]), Ok(Hash::Sha256));
        assert_eq!(choose(&["SCRAM-SHA-1"]), Ok(Hash::Sha1));
        assert_eq!(choose(&[]), Ok(Hash::Sha256));
        assert!(choose(&["PLAIN"]).unwrap_err().reason.ends_with(": PLAIN"));
        // The example of the drivers' specification has the user "user" and the password "pencil".
        assert_eq!(older_password("user", "pencil"), "1c33006ec1ffd90f9cadcbcc0e118200");
    }
}
