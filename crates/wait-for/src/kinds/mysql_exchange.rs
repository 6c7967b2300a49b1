//! The client's side of a login: its answer to each word of the server. Pure, but for the random
//! numbers of RSA.
//!
//! Plugins: MySQL documentation, "Authentication Methods"; MariaDB's, "Authentication Plugins".

use endpoint::{RsaPublicKey, one_line};

use super::mysql_proofs::{hash_native, hash_sha2, sign_ed25519, xor};
use crate::{
    not_ready::{Cause, NotReady},
    random::random,
    rsa_oaep, wire,
};

/// The words of `caching_sha2_password` behind the byte of "more data"
const FULL_AUTHENTICATION: [u8; 1] = [4];
/// Requests for the server's public key
const KEY_FOR_SHA256: u8 = 1;
const KEY_FOR_CACHING_SHA2: u8 = 2;

/// A login under way
pub(super) struct Exchange<'a> {
    /// Without one, each answer is that of an empty password
    pub(super) password: Option<&'a str>,
    /// No other host can listen.
    pub(super) is_private: bool,
    pub(super) is_tls: bool,
    /// The key that the user has named
    pub(super) server_key: Option<&'a RsaPublicKey>,
    pub(super) plugin: String,
    pub(super) nonce: Vec<u8>,
}

impl Exchange<'_> {
    /// The first answer to a plugin. An error is the reason why the password cannot be proven.
    pub(super) fn proof(&self) -> Result<Vec<u8>, NotReady> {
        let password = self.password.unwrap_or_default();
        let bytes = password.as_bytes();
        Ok(match self.plugin.as_str() {
            "sha256_password" if password.is_empty() => vec![0],
            _ if password.is_empty() => Vec::new(),
            // A server without plugins is as old as this one.
            "mysql_native_password" | "" => hash_native(bytes, &self.nonce),
            "caching_sha2_password" => hash_sha2(bytes, &self.nonce),
            "client_ed25519" => sign_ed25519(bytes, &self.nonce),
            // It does not take the password itself on a UNIX socket either.
            "sha256_password" if !self.is_tls => vec![KEY_FOR_SHA256],
            "mysql_clear_password" if !self.is_private => return Err(wire::password_needs_tls()),
            "sha256_password" | "mysql_clear_password" => terminated(password),
            plugin => {
                let plugin = one_line(plugin);
                return Err(NotReady::never(format!(
                    "plugin {plugin} is not supported: check without a password instead"
                )));
            }
        })
    }

    /// The answer to more data of a plugin; `None` where the server only says that all is well.
    pub(super) fn answer(&self, data: &[u8]) -> Result<Option<Vec<u8>>, NotReady> {
        let password = self.password.unwrap_or_default();
        match self.plugin.as_str() {
            "caching_sha2_password" if data == FULL_AUTHENTICATION => {
                if password.is_empty() || self.is_private {
                    return Ok(Some(terminated(password)));
                }
                match self.server_key {
                    Some(key) => self.encrypted(password, key).map(Some),
                    None => Ok(Some(vec![KEY_FOR_CACHING_SHA2])),
                }
            }
            "caching_sha2_password" | "sha256_password" if data.starts_with(b"-----BEGIN") => {
                if let Some(key) = self.server_key {
                    return self.encrypted(password, key).map(Some);
                }
                let key = RsaPublicKey::from_pem(data)
                    .map_err(|reason| NotReady::new(Cause::Odd, format!("the server's public key: {reason}")))?;
                self.encrypted(password, &key).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Encrypts the password for the server. The nonce keeps a listener from sending the same
    /// again.
    fn encrypted(&self, password: &str, key: &RsaPublicKey) -> Result<Vec<u8>, NotReady> {
        let nonce: Vec<u8> = self.nonce.iter().copied().cycle().take(password.len() + 1).collect();
        if nonce.is_empty() {
            return Err(NotReady::new(Cause::Odd, "the server gives no nonce"));
        }
        let too_long = || NotReady::never("the password is too long for the server's public key: give tls=require");
        rsa_oaep::encrypt(key, &xor(&terminated(password), &nonce), random()?).ok_or_else(too_long)
    }
}

fn terminated(password: &str) -> Vec<u8> {
    [password.as_bytes(), &[0]].concat()
}
