//! RSA public keys in PEM, as servers publish them for passwords.

use std::path::{Path, PathBuf};

use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

use crate::{
    der::{BIT_STRING, INTEGER, Malformed, OBJECT_IDENTIFIER, Reader, SEQUENCE},
    failure::Failure,
    options::Options,
    pem,
    source::Source,
};

/// `rsaEncryption` (RFC 8017, appendix A.1)
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Bytes of a modulus: a shorter one protects nothing, and a longer one only takes time.
const LENGTHS: std::ops::RangeInclusive<usize> = 128..=1024;
/// Bytes of an exponent; it is 65537 nearly everywhere.
const EXPONENT_LIMIT: usize = 8;

/// An RSA public key
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaPublicKey {
    /// An odd number of 1017 to 8192 bits, big-endian, without a zero in front
    pub modulus: Vec<u8>,
    /// A number of at most 64 bits, big-endian, without a zero in front
    pub exponent: Vec<u8>,
}

impl RsaPublicKey {
    /// Reads the first `PUBLIC KEY` of a PEM text.
    pub fn from_pem(text: &[u8]) -> Result<Self, String> {
        let found = SubjectPublicKeyInfoDer::from_pem_slice(text);
        let der = found.map_err(|_| "there is no PEM public key (BEGIN PUBLIC KEY)")?;
        let key = Self::from_der(&der).map_err(|Malformed| "the public key is not one of RSA")?;
        let is_odd = key.modulus.last().is_some_and(|byte| byte % 2 == 1);
        if is_odd && LENGTHS.contains(&key.modulus.len()) && (1..=EXPONENT_LIMIT).contains(&key.exponent.len()) {
            Ok(key)
        } else {
            Err("the public key is broken, or has not 1024 to 8192 bits".into())
        }
    }

    /// `SubjectPublicKeyInfo` (RFC 5280, section 4.1) with an `RSAPublicKey` (RFC 8017, appendix A.1.1) in it
    fn from_der(der: &[u8]) -> Result<Self, Malformed> {
        let mut info = Reader::new(der).enter(SEQUENCE)?;
        if info.enter(SEQUENCE)?.take(OBJECT_IDENTIFIER)? != RSA {
            return Err(Malformed);
        }
        // The first byte of a bit string is the number of bits that its last byte lacks.
        let (0, key) = info.take(BIT_STRING)?.split_first().map(|(lacking, key)| (*lacking, key)).ok_or(Malformed)?
        else {
            return Err(Malformed);
        };
        let mut numbers = Reader::new(key).enter(SEQUENCE)?;
        let modulus = unsigned(numbers.take(INTEGER)?)?;
        let exponent = unsigned(numbers.take(INTEGER)?)?;
        numbers.end()?;
        Ok(Self { modulus, exponent })
    }
}

/// A number without the zero that keeps it from being negative
fn unsigned(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => Ok(rest.to_vec()),
        [first, ..] if *first < 0x80 => Ok(bytes.to_vec()),
        _ => Err(Malformed),
    }
}

/// The file of an RSA public key, read at the first use and again when it changes
#[derive(Clone, Debug)]
pub struct RsaKeyFile(Source<RsaPublicKey>);

impl RsaKeyFile {
    /// Takes the option of this name.
    pub fn from_options(options: &mut Options, name: &'static str) -> Result<Option<Self>, String> {
        let path = options.text(name)?.map(PathBuf::from);
        Ok(path.map(|path| Self(Source::files(vec![path.clone()], move || read(name, &path)))))
    }

    /// The key as the file is now.
    pub async fn current(&self) -> Result<RsaPublicKey, Failure> {
        self.0.current().await
    }
}

fn read(name: &str, path: &Path) -> Result<RsaPublicKey, String> {
    let text = pem::read(path).map_err(|error| format!("option {name}: {error}"))?;
    RsaPublicKey::from_pem(&text).map_err(|reason| format!("option {name}: {}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use proptest::prelude::*;

    use super::*;

    /// As MySQL shows it: 2048 bits, exponent 65537
    const PEM: &str = include_str!("rsa_public_key/mysql.pem");

    #[test]
    fn a_key_is_read() {
        let key = RsaPublicKey::from_pem(PEM.as_bytes()).unwrap();
        assert_eq!((key.modulus.len(), key.exponent.as_slice()), (256, &[1, 0, 1][..]));
    }

    #[test]
    fn what_is_no_rsa_key_is_refused() {
        let ed25519 = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        for (text, reason) in [
            ("", "there is no PEM public key (BEGIN PUBLIC KEY)"),
            (
                "-----BEGIN RSA PUBLIC KEY-----\nAA==\n-----END RSA PUBLIC KEY-----\n",
                "there is no PEM public key (BEGIN PUBLIC KEY)",
            ),
            (ed25519, "the public key is not one of RSA"),
        ] {
            assert_eq!(RsaPublicKey::from_pem(text.as_bytes()).unwrap_err(), reason, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_broken_key_is_read_or_refused(at in 0_usize..294, value: u8, length in 0_usize..294) {
            let der = SubjectPublicKeyInfoDer::from_pem_slice(PEM.as_bytes()).unwrap();
            let mut der = der.to_vec();
            prop_assert!(RsaPublicKey::from_der(&der[..length]).is_err());
            der[at] = value;
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(&der));
            if let Ok(key) = RsaPublicKey::from_pem(pem.as_bytes()) {
                prop_assert!(LENGTHS.contains(&key.modulus.len()) && key.modulus.last().unwrap() % 2 == 1);
            }
        }
    }
}
