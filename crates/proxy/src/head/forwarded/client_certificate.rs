//! The header that tells the app whom a client's certificate names: `X-Forwarded-Client-Cert` in the form of Envoy.
//!
//! RFC 9440 would send the whole certificate: two thousand bytes with each request, and a parser of X.509 in each app. Names and a
//! fingerprint are what apps compare.

use endpoint::{Certificate, SubjectName};
use http::{HeaderName, HeaderValue};

/// No client can send it: like all headers of its family it is believed of trusted proxies only, and it is no trailer.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// Bytes of a value: a certificate may have a thousand names, and an app has a bound for its heads. A name that does not fit is left
/// out whole.
const VALUE_LIMIT: usize = 2048;

/// `Hash=…;URI=…;DNS=…` of a certificate that was verified. URIs come first, because a SPIFFE ID is one. The form has no place for
/// addresses.
pub(super) fn value(certificate: &Certificate) -> HeaderValue {
    let mut value = format!("Hash={}", certificate.fingerprint);
    let uris = certificate.names.iter().filter_map(|name| match name {
        SubjectName::Uri(uri) => Some(("URI", uri)),
        _ => None,
    });
    let hosts = certificate.names.iter().filter_map(|name| match name {
        SubjectName::Dns(host) => Some(("DNS", host)),
        _ => None,
    });
    for (key, name) in uris.chain(hosts) {
        let name = quoted(name);
        if value.len() + key.len() + name.len() + 2 <= VALUE_LIMIT {
            value.extend([";", key, "=", &name]);
        }
    }
    HeaderValue::try_from(value).expect("names are printable ASCII characters")
}

/// A name that holds a separator of the form stands in quotes, so that no certificate can add an element.
fn quoted(name: &str) -> String {
    if !name.contains([',', ';', '=', '"', '\\']) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: Vec<SanType>) -> Certificate {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        Certificate::from_der(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap()
    }

    #[test]
    fn an_identity_is_a_fingerprint_and_names() {
        let names = vec![
            SanType::DnsName("client.example".try_into().unwrap()),
            SanType::URI("spiffe://trust.example/app".try_into().unwrap()),
        ];
        let certificate = certificate(names);
        let expected = format!("Hash={};URI=spiffe://trust.example/app;DNS=client.example", certificate.fingerprint);
        assert_eq!(value(&certificate), expected);
    }

    #[test]
    fn no_name_adds_an_element() {
        let certificate = certificate(vec![SanType::URI("spiffe://a/b;DNS=root,Hash=\"0\"".try_into().unwrap())]);
        let expected = format!(r#"Hash={};URI="spiffe://a/b;DNS=root,Hash=\"0\"""#, certificate.fingerprint);
        assert_eq!(value(&certificate), expected);
    }

    #[test]
    fn many_names_stay_within_the_bound() {
        let names = (0..500).map(|nth| SanType::DnsName(format!("host-{nth}.example").try_into().unwrap())).collect();
        let value = value(&certificate(names));
        assert!(value.len() <= VALUE_LIMIT && value.to_str().unwrap().ends_with(".example"), "{}", value.len());
    }
}
