//! The lines of `explain` about TLS and the versions of HTTP, on both sides.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use endpoint::{Certificate, ServerTls, TlsClient};
use lifecycle::format_duration;

use crate::route::{
    upstream_address::UpstreamAddress,
    upstream_url::{UpstreamUrl, Versions},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The TLS of a listener: names and values, a line each. It reads the files, and no line holds any of a key.
pub(super) fn of_listener(tls: Option<&ServerTls>, host: Option<&str>) -> Vec<(&'static str, String)> {
    let Some(tls) = tls else { return vec![("clients", "HTTP/1.1, or HTTP/2 by prior knowledge, without TLS".into())] };
    let mut lines = vec![("clients", "TLS 1.2 or 1.3; HTTP/2 or HTTP/1.1 by ALPN".to_owned())];
    let faults = tls.load();
    let shown = tls.certificate_for(host);
    lines.push(("certificate", shown.map_or("none".into(), |certificate| described(tls, &certificate))));
    let settings = tls.settings();
    let how = if settings.client_may_be_anonymous { "taken where a client has one" } else { "required" };
    let authorities = settings.client_ca.as_ref().map(|path| format!("{how}, from an authority of {}", path.display()));
    lines.push(("client-certificate", authorities.unwrap_or("not asked for".into())));
    lines.extend(faults.into_iter().map(|fault| ("fault", fault)));
    lines
}

/// The names, the end, the file and the fingerprint of a certificate
fn described(tls: &ServerTls, certificate: &Certificate) -> String {
    let names: Vec<_> = certificate.names.iter().map(ToString::to_string).collect();
    let names = if names.is_empty() { certificate.display_name() } else { names.join(", ") };
    let end = UNIX_EPOCH + Duration::from_secs(u64::try_from(certificate.not_after).unwrap_or_default());
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    let left = match left.as_secs() / DAY.as_secs() {
        0 | 1 => format_duration(Duration::from_secs(left.as_secs())),
        days => format!("{days} days"),
    };
    let file = tls.files_of(certificate).map_or(String::new(), |files| format!(" in {}", files.cert.display()));
    format!("{names}{file}, expires in {left}, SHA-256 {}", certificate.fingerprint)
}

/// How the proxy speaks with an upstream: names and values, a line each
pub(super) fn of_upstream(upstream: &UpstreamUrl) -> Vec<(&'static str, String)> {
    let speaks = match (&upstream.tls, upstream.versions) {
        (None, Versions::Http2) => "HTTP/2 by prior knowledge, without TLS",
        (None, _) => "HTTP/1.1, without TLS",
        (Some(_), Versions::Any) => "TLS; HTTP/2 where the upstream agrees by ALPN, otherwise HTTP/1.1",
        (Some(_), Versions::Http1) => "TLS; HTTP/1.1",
        (Some(_), Versions::Http2) => "TLS; HTTP/2",
    };
    let mut lines = vec![("speaks", speaks.to_owned())];
    if let (Some(tls), UpstreamAddress::Tcp(address)) = (&upstream.tls, &upstream.address) {
        lines.extend(trust(tls, &address.host));
    }
    lines
}

fn trust(tls: &TlsClient, host: &str) -> Vec<(&'static str, String)> {
    // The name was judged with the URL.
    let name = tls.name_for(host).map(|name| name.to_str().into_owned()).unwrap_or_default();
    let trusted = match tls.ca() {
        _ if tls.is_insecure() => "any certificate, because of the option insecure".to_owned(),
        Some(path) => format!("a certificate for {name} from an authority of {}", path.display()),
        None => format!("a certificate for {name} from an authority of the system"),
    };
    let mut lines = vec![("trusts", trusted)];
    lines.extend(tls.cert().map(|path| ("shows", format!("the certificate in {}", path.display()))));
    lines.extend(tls.check().err().map(|fault| ("fault", fault)));
    lines
}
