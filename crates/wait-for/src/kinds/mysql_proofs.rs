//! What proves a password to MySQL and MariaDB without showing it.

use curve25519_dalek::{
    edwards::EdwardsPoint,
    scalar::{Scalar, clamp_integer},
};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// The proof of `mysql_native_password`: SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password)))
pub(super) fn hash_native(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = Sha1::digest(password);
    let salted = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
    xor(&once, &salted)
}

/// The proof of `caching_sha2_password`: SHA256(password) XOR SHA256(SHA256(SHA256(password)) +
/// nonce)
pub(super) fn hash_sha2(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = Sha256::digest(password);
    let salted = Sha256::new().chain_update(Sha256::digest(once)).chain_update(nonce).finalize();
    xor(&once, &salted)
}

pub(super) fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(a, b)| a ^ b).collect()
}

/// The proof of MariaDB's `ed25519`: the nonce, signed as in RFC 8032, section 5.1.6, with the
/// password in the place of the 32 bytes of the secret key.
pub(super) fn sign_ed25519(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let hash = <[u8; 64]>::from(Sha512::digest(password));
    let (lower, prefix) = hash.split_at(32);
    let lower = lower.first_chunk().copied().unwrap_or_default();
    let secret = Scalar::from_bytes_mod_order(clamp_integer(lower));
    let public = EdwardsPoint::mul_base(&secret).compress();
    let hashed = |parts: [&[u8]; 3]| Scalar::from_bytes_mod_order_wide(&Sha512::digest(parts.concat()).into());
    let once = hashed([prefix, nonce, &[]]);
    let commitment = EdwardsPoint::mul_base(&once).compress();
    let challenge = hashed([commitment.as_bytes(), public.as_bytes(), nonce]);
    [*commitment.as_bytes(), (challenge * secret + once).to_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_32_bytes_signs_as_a_standard_key() {
        // RFC 8032, section 7.1, test 3
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let secret = hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
        let signature = hex(concat!(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ));
        assert_eq!(sign_ed25519(&secret, &hex("af82")), signature);
    }
}
