//! Tickets of clients that had to prove their identity: a ticket ends with the client's certificate.
//!
//! rustls does not verify a resumed client again, and its API has no way to refuse a ticket that it
//! can open. A handshake that ends with an error instead would lock the client out after it has
//! renewed its certificate: Go, for example, offers the same ticket again after every error.

use std::{sync::Arc, time::SystemTime};

use rustls::{crypto::ring, server::ProducesTickets};

use crate::certificate::Certificate;

/// Seals tickets with random keys that nothing else knows.
pub(super) fn new(are_clients_verified: bool) -> Result<Arc<dyn ProducesTickets>, String> {
    let tickets = ring::Ticketer::new().map_err(|error| format!("no key for tickets: {error}"))?;
    Ok(if are_clients_verified { Arc::new(ClientTickets(tickets)) } else { tickets })
}

/// Opens no ticket whose client certificate is not valid now, so that a full handshake follows.
#[derive(Debug)]
struct ClientTickets(Arc<dyn ProducesTickets>);

impl ProducesTickets for ClientTickets {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt(session)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let session = self.0.decrypt(ticket)?;
        is_client_valid(&session)?.then_some(session)
    }
}

/// Whether the certificate of the session's client is valid now, or the client had none. The layout
/// is that of rustls' `ServerSessionValue`. A session with another layout is `None`, which the test
/// of resumption notices.
fn is_client_valid(session: &[u8]) -> Option<bool> {
    let mut rest = session;
    // The name that the client asked for
    if number(&mut rest, 1)? == 1 {
        prefixed(&mut rest, 1)?;
    }
    let _version_and_suite = number(&mut rest, 4)?;
    let _master_secret = prefixed(&mut rest, 1)?;
    let _has_extended_master_secret = number(&mut rest, 1)?;
    if number(&mut rest, 1)? == 0 {
        return Some(true);
    }
    let mut chain = prefixed(&mut rest, 3)?;
    let certificate = Certificate::from_der(prefixed(&mut chain, 3)?).ok()?;
    Some(certificate.invalid_at(SystemTime::now()).is_none())
}

/// Takes a number of so few bytes, the highest one first.
fn number(rest: &mut &[u8], size: usize) -> Option<usize> {
    let bytes = rest.split_off(..size)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// Takes a value that stands behind its length, a number of this size.
fn prefixed<'a>(rest: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let length = number(rest, size)?;
    rest.split_off(..length)
}
