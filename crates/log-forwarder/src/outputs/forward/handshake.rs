//! The login at a server that asks by HELO: both sides prove that they know the same secrets, and
//! send none.

use std::fmt::Write;

use endpoint::{Options, Password, one_line};
use lifecycle::Secret;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha512};

use super::{pack::Pack, reply::Reply};

/// The secrets, or where they are
#[derive(Debug)]
pub(super) struct Credentials {
    shared_key: Option<Password>,
    user: Option<(String, Password)>,
}

/// The question of a PING, which its PONG must answer
#[derive(Debug)]
pub(super) struct Challenge {
    salt: String,
    nonce: Vec<u8>,
    key: Secret,
}

impl Credentials {
    pub(super) fn from_options(options: &mut Options) -> Result<Self, String> {
        let shared_key = Password::named(options, "shared-key-file", "shared-key-env")?;
        let user = match (options.text("user")?, Password::from_options(options, None)?) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => return Err("options user and password-file go together".into()),
        };
        if shared_key.is_none() && user.is_some() {
            return Err("option user wants shared-key-file too: a server asks for both or for the key alone".into());
        }
        Ok(Self { shared_key, user })
    }

    /// Whether a server is expected to ask
    pub(super) fn any(&self) -> bool {
        self.shared_key.is_some()
    }

    /// The PING for this HELO, and what its PONG must prove.
    pub(super) async fn ping(
        &self,
        ourselves: &str,
        nonce: Vec<u8>,
        auth: &[u8],
    ) -> Result<(Vec<u8>, Challenge), String> {
        let key = self.shared_key.as_ref().ok_or("the server wants a shared key: give shared-key-file=PATH")?;
        let key = key.current().await.map_err(|failure| failure.to_string())?;
        let (user, password) = match &self.user {
            _ if auth.is_empty() => ("", String::new()),
            Some((user, password)) => {
                let password = password.current().await.map_err(|failure| failure.to_string())?;
                (user.as_str(), digest(&[auth, user.as_bytes(), password.expose().as_bytes()]))
            }
            None => return Err("the server wants a user: give user=NAME and password-file=PATH".into()),
        };
        let challenge = Challenge { salt: salt()?, nonce, key };
        let mut ping = Vec::new();
        let mut pack = Pack(&mut ping);
        pack.array(6);
        for text in ["PING", ourselves, &challenge.salt, &challenge.proof(ourselves.as_bytes()), user, &password] {
            pack.text(text);
        }
        Ok((ping, challenge))
    }
}

impl Challenge {
    /// Whether the server believes us, and has proved that it knows the key too.
    pub(super) fn settle(&self, reply: Reply) -> Result<(), String> {
        match reply {
            Reply::Pong { believed: true, host, digest, .. } if digest == self.proof(&host).as_bytes() => Ok(()),
            Reply::Pong { believed: true, .. } => Err("the server does not prove that it knows the shared key".into()),
            Reply::Pong { reason, .. } => {
                Err(format!("the server does not believe us: {}", one_line(&String::from_utf8_lossy(&reason))))
            }
            _ => Err("the answer to PING is no PONG".into()),
        }
    }

    fn proof(&self, host: &[u8]) -> String {
        digest(&[self.salt.as_bytes(), host, &self.nonce, self.key.expose().as_bytes()])
    }
}

/// SHA-512 of all these, as small hexadecimal digits
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha512::new();
    for part in parts {
        hash.update(part);
    }
    hexadecimal(&hash.finalize())
}

/// Random, so that an answer that was heard before proves nothing.
fn salt() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom(&mut bytes, GetRandomFlags::empty())
        .map_err(|error| format!("no random bytes: {}", lifecycle::io_text(&error.into())))?;
    Ok(hexadecimal(&bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: bool) -> (tempfile::TempDir, Credentials) {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let user = if user {
            format!("&user=web&password-file={}", file("password", "pass\n").display())
        } else {
            String::new()
        };
        let fragment = format!("shared-key-file={}{user}", file("key", "secret\n").display());
        let credentials = Credentials::from_options(&mut Options::from_fragment(&fragment).unwrap()).unwrap();
        (directory, credentials)
    }

    #[tokio::test]
    async fn a_pong_must_be_true_and_proved() {
        let (_directory, credentials) = credentials(false);
        let (ping, challenge) = credentials.ping("us", b"nonce".to_vec(), b"").await.unwrap();
        let proof = digest(&[challenge.salt.as_bytes(), b"us", b"nonce", b"secret"]);
        assert_eq!(proof.len(), 128);
        assert!(String::from_utf8_lossy(&ping).contains(&proof));
        assert!(ping.ends_with(b"\xa0\xa0"));
        let answer = |believed, host: &[u8], key: &[u8]| Reply::Pong {
            believed,
            reason: b"no\nway".to_vec(),
            host: host.to_vec(),
            digest: digest(&[challenge.salt.as_bytes(), b"them", b"nonce", key]).into_bytes(),
        };
        assert_eq!(challenge.settle(answer(true, b"them", b"secret")), Ok(()));
        assert!(challenge.settle(answer(true, b"others", b"secret")).unwrap_err().contains("prove"));
        assert!(challenge.settle(answer(true, b"them", b"guess")).unwrap_err().contains("prove"));
        assert!(challenge.settle(answer(false, b"them", b"secret")).unwrap_err().ends_with("believe us: no way"));
        assert!(challenge.settle(Reply::Other).unwrap_err().contains("no PONG"));
    }

    #[tokio::test]
    async fn a_user_is_told_only_when_asked_for() {
        let (_directory, credentials) = credentials(true);
        let (ping, _) = credentials.ping("us", b"nonce".to_vec(), b"auth").await.unwrap();
        assert!(String::from_utf8_lossy(&ping).ends_with(&digest(&[b"auth", b"web", b"pass"])));
        let (ping, _) = credentials.ping("us", b"nonce".to_vec(), b"").await.unwrap();
        assert!(!String::from_utf8_lossy(&ping).contains("web"));
        let (_directory, credentials) = self::credentials(false);
        assert!(credentials.ping("us", Vec::new(), b"auth").await.unwrap_err().contains("user=NAME"));
    }
}
