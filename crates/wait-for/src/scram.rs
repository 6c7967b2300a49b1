//! SCRAM, the client's side (RFC 5802, RFC 7677), without channel binding.
//!
//! Passwords are taken as they are: only ASCII ones are sure to be equal to their `SASLprep` form
//! (RFC 4013).

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use tokio::task;

use crate::{
    not_ready::{Cause, NotReady},
    random::random,
};

/// "No channel binding" (`n,,`), as it stands in the first message, and in the last one in Base64
const HEADER: &str = "n,,";
const HEADER_BASE64: &str = "biws";
/// A server that asks for more rounds only wants to keep us busy; PostgreSQL's and Kafka's default
/// is 4096, `MongoDB`'s 15000.
const MOST_ROUNDS: u32 = 600_000;
/// With fewer rounds the proof, which a false server has from us, makes the password easy to guess
/// (RFC 7677, section 4).
pub(crate) const USUAL_ROUNDS: u32 = 4096;

/// The hash function of a mechanism
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

/// A login under way
pub(crate) struct Scram {
    hash: Hash,
    /// The first message without its header
    first: String,
    nonce: String,
    /// Fewer are refused.
    least_rounds: u32,
}

/// The challenge of the server
struct Challenge<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    rounds: u32,
}

/// A login of which the server's proof is still to come
pub(crate) struct Unproven {
    signature: Vec<u8>,
}

impl Scram {
    /// Draws a nonce and begins. PostgreSQL ignores the user here, because it knows the user from
    /// the start-up message.
    pub(crate) fn new(hash: Hash, user: &str, least_rounds: u32) -> Result<Self, NotReady> {
        let scram = Self::with_nonce(hash, user, BASE64_STANDARD.encode(random::<18>()?));
        Ok(Self { least_rounds, ..scram })
    }

    fn with_nonce(hash: Hash, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, first: format!("n={user},r={nonce}"), nonce, least_rounds: 1 }
    }

    /// The client's first message
    pub(crate) fn first_message(&self) -> String {
        format!("{HEADER}{}", self.first)
    }

    /// Answers the server's first message with the client's last.
    pub(crate) async fn answer(&self, server_first: &str, password: &str) -> Result<(String, Unproven), NotReady> {
        let Challenge { nonce, salt, rounds } = self.challenge(server_first).ok_or_else(wrong)?;
        self.check_rounds(rounds)?;
        let (hash, password) = (self.hash, password.to_owned());
        // Elsewhere: the other targets and the deadlines share this thread.
        let salted = task::spawn_blocking(move || hash.salted_password(password.as_bytes(), &salt, rounds)).await;
        let salted = salted.map_err(|_| NotReady::new(Cause::Odd, "the password's hash was not computed"))?;
        let client_key = hash.hmac(&salted, &[b"Client Key"]);
        let last = format!("c={HEADER_BASE64},r={nonce}");
        let parts = [self.first.as_bytes(), b",", server_first.as_bytes(), b",", last.as_bytes()];
        let client_signature = hash.hmac(&hash.digest(&client_key), &parts);
        let proof: Vec<u8> = client_key.iter().zip(client_signature).map(|(key, signature)| key ^ signature).collect();
        let signature = hash.hmac(&hash.hmac(&salted, &[b"Server Key"]), &parts);
        Ok((format!("{last},p={}", BASE64_STANDARD.encode(proof)), Unproven { signature }))
    }

    /// Reads the server's first message; `None` if it is wrong.
    fn challenge<'a>(&self, server_first: &'a str) -> Option<Challenge<'a>> {
        Some(Challenge {
            nonce: attribute(server_first, "r=").filter(|nonce| nonce.starts_with(&self.nonce))?,
            salt: BASE64_STANDARD.decode(attribute(server_first, "s=")?).ok()?,
            rounds: attribute(server_first, "i=")?.parse().ok().filter(|rounds| *rounds > 0)?,
        })
    }

    fn check_rounds(&self, rounds: u32) -> Result<(), NotReady> {
        let remedy = "have the server store the password with another number of them";
        if rounds < self.least_rounds {
            let least = self.least_rounds;
            let reason =
                format!("the server has {rounds} rounds of SCRAM, and fewer than {least} are unsafe: {remedy}");
            return Err(NotReady::never(reason));
        }
        if rounds > MOST_ROUNDS {
            let reason =
                format!("the server has {rounds} rounds of SCRAM, and wait-for does at most {MOST_ROUNDS}: {remedy}");
            return Err(NotReady::never(reason));
        }
        Ok(())
    }
}

impl Unproven {
    /// Checks that the server knows the password too.
    pub(crate) fn check(&self, server_last: &str) -> Result<(), NotReady> {
        let signature = attribute(server_last, "v=").and_then(|text| BASE64_STANDARD.decode(text).ok());
        if signature.is_some_and(|signature| signature == self.signature) {
            Ok(())
        } else {
            Err(NotReady::never(
                "the server does not prove that it knows the password: is this the right host? tls=require proves that",
            ))
        }
    }
}

impl Hash {
    /// The name of the mechanism in SASL
    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha1 => salted_password::<Hmac<Sha1>>(password, salt, iterations),
            Self::Sha256 => salted_password::<Hmac<Sha256>>(password, salt, iterations),
            Self::Sha512 => salted_password::<Hmac<Sha512>>(password, salt, iterations),
        }
    }

    fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1 => hmac::<Hmac<Sha1>>(key, parts),
            Self::Sha256 => hmac::<Hmac<Sha256>>(key, parts),
            Self::Sha512 => hmac::<Hmac<Sha512>>(key, parts),
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// `Hi()` of RFC 5802, which is PBKDF2 with one block
fn salted_password<M: Mac + KeyInit + Clone>(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
    // Keyed once: the key's own two blocks are half of the work.
    let keyed = <M as KeyInit>::new_from_slice(password).expect("HMAC takes keys of any length");
    let mut block = keyed.clone().chain_update(salt).chain_update(1u32.to_be_bytes()).finalize().into_bytes();
    let mut result = block.to_vec();
    for _ in 1..iterations {
        block = keyed.clone().chain_update(&block).finalize().into_bytes();
        result.iter_mut().zip(&block).for_each(|(sum, byte)| *sum ^= byte);
    }
    result
}

fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn attribute<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name))
}

fn wrong() -> NotReady {
    NotReady::new(Cause::Odd, "the server's SCRAM message is wrong")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 7677, section 3
    #[tokio::test]
    async fn the_example_of_the_rfc() {
        let scram = Scram::with_nonce(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".into());
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (last, unproven) = scram.answer(server_first, "pencil").await.unwrap();
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(last, expected);
        assert_eq!(unproven.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert!(unproven.check("v=AAAA").is_err());
    }

    /// The example of RFC 5802, section 5
    #[tokio::test]
    async fn the_example_of_the_older_rfc() {
        let scram = Scram::with_nonce(Hash::Sha1, "user", "fyko+d2lbbFgONRv9qkxdawL".into());
        let server_first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        let (last, unproven) = scram.answer(server_first, "pencil").await.unwrap();
        let expected = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
        assert_eq!(last, expected);
        assert_eq!(unproven.check("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), Ok(()));
    }

    #[test]
    fn a_name_with_a_comma_is_one_name() {
        let scram = Scram::with_nonce(Hash::Sha512, "a=b,c", "x".into());
        assert_eq!(scram.first_message(), "n,,n=a=3Db=2Cc,r=x");
    }

    #[tokio::test]
    async fn a_hash_of_many_rounds_does_not_hold_up_the_others() {
        let scram = Scram::with_nonce(Hash::Sha256, "", "abc".into());
        tokio::select! {
            biased;
            _ = scram.answer("r=abcd,s=AAAA,i=100000", "x") => panic!("nothing else could go on"),
            () = task::yield_now() => {}
        }
    }

    #[test]
    fn a_server_that_plays_tricks_is_refused() {
        let scram = Scram::with_nonce(Hash::Sha256, "", "abc".into());
        for tricky in ["r=xyz,s=AAAA,i=4096", "r=abcd,s=AAAA,i=0", "r=abcd,s=?,i=1", "e=other-error"] {
            assert!(scram.challenge(tricky).is_none(), "{tricky}");
        }
    }

    #[tokio::test]
    async fn too_few_and_too_many_rounds_are_refused_with_their_number() {
        for (least_rounds, rounds, said) in [
            (USUAL_ROUNDS, 1, Some("has 1 rounds of SCRAM, and fewer than 4096 are unsafe")),
            (USUAL_ROUNDS, 4096, None),
            (1, 1, None),
            (1, 600_001, Some("has 600001 rounds of SCRAM, and wait-for does at most 600000")),
        ] {
            let scram = Scram { least_rounds, ..Scram::with_nonce(Hash::Sha256, "", "abc".into()) };
            let refusal = scram.answer(&format!("r=abcd,s=AAAA,i={rounds}"), "x").await.err();
            assert_eq!(refusal.as_ref().map(|refusal| refusal.reason.contains(said.unwrap())), said.map(|_| true));
            assert!(refusal.is_none_or(|refusal| refusal.never_exit().is_some()));
        }
    }

    proptest! {
        #[test]
        fn no_message_makes_the_parser_panic(message in "(r=abc\\PC*,s=[A-Za-z0-9+/=]*,i=[0-9]{0,2})|\\PC*") {
            let _ = Scram::with_nonce(Hash::Sha256, "", "abc".into()).challenge(&message);
        }
    }
}
