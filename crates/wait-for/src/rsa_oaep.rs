//! Encryption by RSA with OAEP and SHA-1 (RFC 8017, section 7.1), the only form that MySQL takes.
//!
//! The weakness of many libraries (RUSTSEC-2023-0071) is one of the private key, which only the
//! server has.

use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use endpoint::RsaPublicKey;
use sha1::{Digest, Sha1};

/// Bytes of a digest
const DIGEST: usize = 20;

pub(crate) type Seed = [u8; DIGEST];

/// Encrypts a message; `None` if it is too long for the key. Nothing may be encrypted with the same
/// seed again.
pub(crate) fn encrypt(key: &RsaPublicKey, message: &[u8], seed: Seed) -> Option<Vec<u8>> {
    let length = key.modulus.len();
    let zeros = length.checked_sub(2 * DIGEST + 2 + message.len())?;
    let mut block = [&Sha1::digest([])[..], &vec![0; zeros], &[1], message].concat();
    xor(&mut block, &mask(&seed, length - DIGEST - 1));
    let mut masked_seed = seed;
    xor(&mut masked_seed, &mask(&block, DIGEST));
    power(key, &[&[0][..], &masked_seed, &block].concat())
}

/// The mask generation function `MGF1`
fn mask(seed: &[u8], length: usize) -> Vec<u8> {
    let digests = (0_u32..).map(|count| Sha1::new().chain_update(seed).chain_update(count.to_be_bytes()).finalize());
    let mut mask: Vec<u8> = digests.take(length.div_ceil(DIGEST)).flatten().collect();
    mask.truncate(length);
    mask
}

fn xor(bytes: &mut [u8], mask: &[u8]) {
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

/// `message` to the power of the key's exponent, as many bytes as the modulus has
fn power(key: &RsaPublicKey, message: &[u8]) -> Option<Vec<u8>> {
    let length = key.modulus.len();
    let precision = u32::try_from(length * 8).ok()?;
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, precision).ok();
    let modulus: Option<Odd<BoxedUint>> = Odd::new(number(&key.modulus)?).into();
    let base = BoxedMontyForm::new(number(message)?, &BoxedMontyParams::new(modulus?));
    let exponent = BoxedUint::from_be_slice(&key.exponent, u64::BITS).ok()?;
    let result = base.pow(&exponent).retrieve().to_be_bytes();
    // Whole words: the modulus may have fewer bytes.
    result.len().checked_sub(length).map(|zeros| result[zeros..].to_vec())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What OpenSSL, which MySQL is built on, decrypts with a key of this many bits
    fn decrypted(bits: u32, message: &[u8]) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let openssl = |arguments: &[&str]| {
            let mut command = Command::new("openssl");
            let done = command.current_dir(&directory).args(arguments).stderr(Stdio::null()).output().unwrap();
            assert!(done.status.success(), "{arguments:?}");
            done.stdout
        };
        openssl(&["genrsa", "-out", "key.pem", &bits.to_string()]);
        let pem = openssl(&["rsa", "-in", "key.pem", "-pubout"]);
        let encrypted = encrypt(&RsaPublicKey::from_pem(&pem).unwrap(), message, [7; DIGEST]).unwrap();
        std::fs::write(directory.path().join("encrypted"), encrypted).unwrap();
        let oaep = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1"];
        openssl(&[&["pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "encrypted"][..], &oaep].concat())
    }

    #[test]
    fn openssl_decrypts_it() {
        // 1030 and 2050 bits are no whole words, and no whole bytes.
        for bits in [1024, 1030, 2048, 2050] {
            assert_eq!(decrypted(bits, b"correct horse\0"), b"correct horse\0", "{bits}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_refused() {
        let key = RsaPublicKey { modulus: vec![0xff; 256], exponent: vec![1, 0, 1] };
        assert!(encrypt(&key, &[0; 214], [0; DIGEST]).is_some());
        assert_eq!(encrypt(&key, &[0; 215], [0; DIGEST]), None);
    }

    proptest! {
        #[test]
        fn any_key_encrypts(mut modulus in proptest::collection::vec(any::<u8>(), 128..160), exponent in proptest::collection::vec(any::<u8>(), 1..9)) {
            *modulus.first_mut().unwrap() |= 1;
            *modulus.last_mut().unwrap() |= 1;
            let key = RsaPublicKey { modulus, exponent };
            prop_assert_eq!(encrypt(&key, b"secret", [1; DIGEST]).unwrap().len(), key.modulus.len());
        }
    }
}
