//! Logins to Kafka by SASL: PLAIN (RFC 4616), and SCRAM with SHA-256 or SHA-512.
//!
//! A broker ends a connection whose mechanism it does not take, and names those that it does take.

use endpoint::one_line;
use lifecycle::Secret;

use super::kafka_wire::{Channel, Step, not_kafka};
use crate::{
    not_ready::{Cause, NotReady},
    scram::{Hash, Scram, USUAL_ROUNDS},
};

// Error codes of <https://kafka.apache.org/protocol#protocol_error_codes>
const NONE: u16 = 0;
const UNSUPPORTED_MECHANISM: u16 = 33;
const ILLEGAL_SASL_STATE: u16 = 34;
const AUTHENTICATION_FAILED: u16 = 58;

/// Begins the reason of a login that a broker refuses.
pub(super) const LOGIN_REFUSED: &str = "login refused";
const BROKER_LOG: &str = "the broker's log says more";

/// A way to prove a password
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    Scram(Hash),
}

/// The end of a login that failed
pub(super) enum Refusal {
    /// The listener takes other mechanisms.
    Offers(Vec<String>),
    Failed(NotReady),
}

impl From<NotReady> for Refusal {
    fn from(failure: NotReady) -> Self {
        Self::Failed(failure)
    }
}

impl Mechanism {
    /// The strongest first
    const ALL: [Self; 3] = [Self::Scram(Hash::Sha512), Self::Scram(Hash::Sha256), Self::Plain];
    /// The one to begin with
    pub(super) const STRONGEST: Self = Self::ALL[0];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(hash) => hash.mechanism(),
        }
    }

    pub(super) fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| "this is neither PLAIN, SCRAM-SHA-256 nor SCRAM-SHA-512".into())
    }

    /// The strongest of those that a listener offers. PLAIN shows the password, so without TLS only
    /// the user may choose it.
    pub(super) fn choose(offered: &[String], has_tls: bool) -> Result<Self, NotReady> {
        let is_offered = |mechanism: &Self| offered.iter().any(|name| name == mechanism.name());
        match Self::ALL.into_iter().find(is_offered) {
            Some(Self::Plain) if !has_tls => Err(NotReady::never(
                "the listener takes only PLAIN, which shows the password: give tls=require, or sasl=PLAIN where nobody can listen",
            )),
            Some(mechanism) => Ok(mechanism),
            None => Err(NotReady::never(format!(
                "the listener takes only logins that are not supported here: {}",
                one_line(&offered.join(", "))
            ))),
        }
    }
}

/// Whether a listener wants a login. One that does not answers that there is none to make.
pub(super) async fn is_wanted(channel: &mut Channel) -> Result<bool, NotReady> {
    Ok(channel.handshake(Mechanism::Plain.name()).await?.code != ILLEGAL_SASL_STATE)
}

/// Logs in.
pub(super) async fn log_in(
    channel: &mut Channel,
    mechanism: Mechanism,
    user: &str,
    password: &Secret,
) -> Result<(), Refusal> {
    let handshake = channel.handshake(mechanism.name()).await?;
    match handshake.code {
        NONE => {}
        UNSUPPORTED_MECHANISM => return Err(Refusal::Offers(handshake.mechanisms)),
        ILLEGAL_SASL_STATE => return Err(not_taken().into()),
        code => return Err(NotReady::new(Cause::Busy, format!("error {code} at the login: {BROKER_LOG}")).into()),
    }
    match mechanism {
        Mechanism::Plain => drop(step(channel, &["", user, password.expose()].join("\0")).await?),
        Mechanism::Scram(hash) => {
            let scram = Scram::new(hash, user, USUAL_ROUNDS)?;
            let server_first = step(channel, &scram.first_message()).await?;
            let (last, unproven) = scram.answer(&server_first, password.expose()).await?;
            unproven.check(&step(channel, &last).await?)?;
        }
    }
    Ok(())
}

/// For a listener without logins, and for Kafka before 1.0, whose logins are another protocol
pub(super) fn not_taken() -> NotReady {
    NotReady::never("the listener takes no login: leave out user and password")
}

async fn step(channel: &mut Channel, message: &str) -> Result<String, NotReady> {
    let Step { code, message, bytes } = channel.authenticate(message.as_bytes()).await?;
    match code {
        NONE => String::from_utf8(bytes).map_err(|_| not_kafka()),
        AUTHENTICATION_FAILED => Err(NotReady::denied(format!("{LOGIN_REFUSED}: {message}"))),
        code => Err(NotReady::new(Cause::Busy, format!("error {code} at the login: {message}: {BROKER_LOG}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_mechanism_is_chosen() {
        let choose = |offered: &[&str], has_tls| {
            let offered: Vec<_> = offered.iter().map(ToString::to_string).collect();
            Mechanism::choose(&offered, has_tls).map(Mechanism::name).map_err(|failure| failure.reason)
        };
        assert_eq!(choose(&["PLAIN", "SCRAM-SHA-256"], false), Ok("SCRAM-SHA-256"));
        assert_eq!(choose(&["GSSAPI", "PLAIN"], true), Ok("PLAIN"));
        assert!(choose(&["GSSAPI", "PLAIN"], false).unwrap_err().contains("or sasl=PLAIN"));
        assert!(choose(&["GSSAPI", "OAUTHBEARER"], true).unwrap_err().ends_with(": GSSAPI, OAUTHBEARER"));
        assert_eq!(Mechanism::named("scram-sha-512"), Ok(Mechanism::STRONGEST));
        assert!(Mechanism::named("GSSAPI").is_err());
    }
}
