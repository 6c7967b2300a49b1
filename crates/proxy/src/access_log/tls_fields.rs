//! The fields of a line about the client's TLS and its identity.

use serde::Serialize;

use crate::tls::Session;

/// Bytes of all names that are written; the first one that does not fit is left out whole, with
/// those behind it
const NAMES_LIMIT: usize = 1024;

/// The client's TLS, and the names in its verified certificate
#[derive(Serialize)]
pub(super) struct TlsFields<'a> {
    #[serde(rename = "tls.protocol.version")]
    version: &'a str,
    #[serde(rename = "tls.client.hash.sha256", skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    #[serde(rename = "tls.client.names", skip_serializing_if = "Option::is_none")]
    names: Option<Vec<String>>,
    #[serde(rename = "tls.client.spiffe_id", skip_serializing_if = "Option::is_none")]
    spiffe_id: Option<&'a str>,
}

impl<'a> TlsFields<'a> {
    pub(super) fn of(session: &'a Session) -> Self {
        let certificate = session.certificate.as_deref();
        let names = certificate.map(|certificate| {
            let mut left = NAMES_LIMIT;
            let fits = |name: &String| {
                let rest = left.checked_sub(name.len());
                left = rest.unwrap_or(left);
                rest.is_some()
            };
            certificate.names.iter().map(ToString::to_string).take_while(fits).collect()
        });
        Self {
            version: session.version,
            fingerprint: certificate.map(|certificate| &*certificate.fingerprint),
            names: names.filter(|names: &Vec<_>| !names.is_empty()),
            spiffe_id: certificate.and_then(|certificate| certificate.spiffe_id()),
        }
    }
}
