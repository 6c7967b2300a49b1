//! Keys that sign assertions (RFC 7515, RFC 7518): RSA, ECDSA and Ed25519, from PEM.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use lifecycle::Secret;
use ring::{
    rand::{SecureRandom, SystemRandom},
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
    },
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// How an assertion is signed (RFC 7518, section 3.1; RFC 8037)
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub(super) enum Algorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "PS256")]
    Ps256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "ES384")]
    Es384,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// A private key, ready to sign
pub(super) struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
    random: SystemRandom,
}

enum Pair {
    Rsa(Box<rsa::KeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Reads a key in PEM (PKCS #8, or PKCS #1 for RSA). Without an algorithm it is the usual one of the key's kind.
    pub(super) fn from_pem(pem: &Secret, algorithm: Option<Algorithm>) -> Result<Self, &'static str> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
            .map_err(|_| "this is no private key in PEM (-----BEGIN PRIVATE KEY-----)")?;
        let random = SystemRandom::new();
        let pairs = match &der {
            PrivateKeyDer::Pkcs8(der) => pairs_of_pkcs8(der.secret_pkcs8_der(), &random),
            PrivateKeyDer::Pkcs1(der) => {
                let pair = rsa::KeyPair::from_der(der.secret_pkcs1_der()).ok();
                pair.map(|pair| (Algorithm::Rs256, Pair::Rsa(Box::new(pair))))
            }
            _ => return Err("a key in SEC1 is not supported: convert it by openssl pkcs8 -topk8 -nocrypt"),
        };
        let (usual, pair) =
            pairs.ok_or("this key can't be used: give RSA of 2048 to 4096 bits, EC on P-256 or P-384, or Ed25519")?;
        let algorithm = match (algorithm, usual) {
            (None, usual) => usual,
            (Some(Algorithm::Ps256), Algorithm::Rs256) => Algorithm::Ps256,
            (Some(wanted), usual) if wanted == usual => usual,
            _ => return Err("this key is not for the algorithm of the settings"),
        };
        Ok(Self { algorithm, pair, random })
    }

    /// A signed JWT with these claims (RFC 7519)
    pub(super) fn jwt(&self, key_id: Option<&str>, claims: &Value) -> Result<Secret, &'static str> {
        let mut header = json!({"alg": self.algorithm.name(), "typ": "JWT"});
        if let Some(key_id) = key_id {
            header["kid"] = key_id.into();
        }
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.sign(signed.as_bytes()).map_err(|_| "the key cannot sign")?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)).as_str().into())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &dyn RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &self.random, message, &mut signature)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => pair.sign(&self.random, message).map(|signature| signature.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// An identifier that no other assertion has (`jti`, RFC 7519, section 4.1.7)
pub(super) fn unique_id() -> Result<String, &'static str> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system has no random numbers")?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// PKCS #8 tells the kinds of keys apart: at most one of them can be read.
fn pairs_of_pkcs8(der: &[u8], random: &SystemRandom) -> Option<(Algorithm, Pair)> {
    let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::from_pkcs8(algorithm, der, random).ok();
    let rsa = rsa::KeyPair::from_pkcs8(der).ok().map(|pair| (Algorithm::Rs256, Pair::Rsa(Box::new(pair))));
    rsa.or_else(|| ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING).map(|pair| (Algorithm::Es256, Pair::Ecdsa(pair))))
        .or_else(|| ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING).map(|pair| (Algorithm::Es384, Pair::Ecdsa(pair))))
        .or_else(|| {
            // OpenSSL writes keys without their public half.
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
            Some((Algorithm::EdDsa, Pair::Ed25519(pair)))
        })
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, KeyPair, RSA_PKCS1_2048_8192_SHA256,
        RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
    };

    use super::*;

    /// Each key was made by `openssl genpkey`, for tests only.
    const RSA: &str = include_str!("../../../tests/keys/rsa.pem");
    const P256: &str = include_str!("../../../tests/keys/p256.pem");
    const P384: &str = include_str!("../../../tests/keys/p384.pem");
    const ED25519_KEY: &str = include_str!("../../../tests/keys/ed25519.pem");
    const SEC1: &str = include_str!("../../../tests/keys/sec1.pem");
    const PKCS1: &str = include_str!("../../../tests/keys/pkcs1.pem");

    fn key(pem: &str, algorithm: Option<Algorithm>) -> Result<SigningKey, &'static str> {
        SigningKey::from_pem(&pem.into(), algorithm)
    }

    fn public(pair: &Pair) -> Vec<u8> {
        match pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    #[test]
    fn each_algorithm_signs_what_others_can_verify() {
        let rows: [(&str, Option<Algorithm>, &str, &dyn VerificationAlgorithm); 6] = [
            (RSA, None, "RS256", &RSA_PKCS1_2048_8192_SHA256),
            (PKCS1, None, "RS256", &RSA_PKCS1_2048_8192_SHA256),
            (RSA, Some(Algorithm::Ps256), "PS256", &RSA_PSS_2048_8192_SHA256),
            (P256, None, "ES256", &ECDSA_P256_SHA256_FIXED),
            (P384, Some(Algorithm::Es384), "ES384", &ECDSA_P384_SHA384_FIXED),
            (ED25519_KEY, None, "EdDSA", &ED25519),
        ];
        for (pem, algorithm, name, verifier) in rows {
            let key = key(pem, algorithm).unwrap();
            let claims = json!({"iss": "billing"});
            let jwt = key.jwt(Some("k1"), &claims).unwrap();
            let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
            let (header, payload) = signed.split_once('.').unwrap();
            let read = |part: &str| -> Value {
                serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
            };
            assert_eq!(read(header), json!({"alg": name, "typ": "JWT", "kid": "k1"}));
            assert_eq!(read(payload), claims);
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
            let public = UnparsedPublicKey::new(verifier, public(&key.pair));
            assert!(public.verify(signed.as_bytes(), &signature).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_key_that_does_not_fit_is_refused() {
        let fault = |pem, algorithm| key(pem, algorithm).err().unwrap();
        assert!(fault("hunter2", None).starts_with("this is no private key in PEM"));
        assert!(fault(SEC1, None).contains("openssl pkcs8 -topk8"));
        assert_eq!(fault(RSA, Some(Algorithm::Es256)), "this key is not for the algorithm of the settings");
        assert_eq!(fault(P256, Some(Algorithm::Es384)), "this key is not for the algorithm of the settings");
        assert_eq!(fault(P256, Some(Algorithm::Ps256)), "this key is not for the algorithm of the settings");
        let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(fault(broken, None).starts_with("this key can't be used"));
    }

    #[test]
    fn no_two_identifiers_are_equal() {
        assert_ne!(unique_id().unwrap(), unique_id().unwrap());
    }
}
