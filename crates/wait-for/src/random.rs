//! Random numbers that cannot be guessed.

use rustls::crypto::ring;

use crate::not_ready::NotReady;

pub(crate) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], NotReady> {
    let mut random = [0; LENGTH];
    let filled = ring::default_provider().secure_random.fill(&mut random);
    filled.map_err(|_| NotReady::never("the system has no random numbers"))?;
    Ok(random)
}
