//! Certificates of openssl (in `made/`) and of rcgen, and what none is.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::*;

const P256: &str = include_str!("made/p256.pem");
const RSA: &str = include_str!("made/rsa.pem");
const ED25519: &str = include_str!("made/ed25519.pem");

fn read(pem: &str) -> Certificate {
    Certificate::from_der(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap()
}

/// A certificate of rcgen for `localhost`, with a change
fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut params);
    params.self_signed(&KeyPair::generate_for(&PKCS_ED25519).unwrap()).unwrap().der().clone()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

#[test]
fn certificates_of_openssl() {
    let p256 = read(P256);
    assert_eq!((p256.not_before, p256.not_after), (1_704_067_200, 1_706_788_800));
    assert_eq!(p256.common_name.as_deref(), Some("Sécond"));
    let names: Vec<_> = p256.names.iter().map(ToString::to_string).collect();
    let spiffe_id = "spiffe://example.com/ns/a/sa/b";
    assert_eq!(names, ["www.example.com", "*.example.com", "10.0.0.1", "fd00::1", spiffe_id, "me@example.com"]);
    assert_eq!((p256.spiffe_id(), p256.display_name()), (Some(spiffe_id), "www.example.com".to_owned()));
    assert_eq!(p256.fingerprint, "e9b2b7055e4953828d8f8eb4ef125cd5f0cabbef75d41dbc9442a46223b509b4");

    let rsa = read(RSA);
    assert_eq!((rsa.not_before, rsa.not_after), (2_524_607_999, 4_102_444_799));
    assert_eq!((rsa.names.len(), rsa.spiffe_id(), rsa.display_name()), (0, None, "only a name".to_owned()));
    assert_eq!(rsa.fingerprint, "1a580be804c6ddcbed0acf7c05d52348d6c589f74c7d2f227d8fd69bf1c92b3d");

    let ed25519 = read(ED25519);
    assert_eq!((ed25519.not_before, ed25519.not_after), (-631_152_000, 253_402_300_799));
    // Two URIs are no identity.
    assert_eq!((ed25519.spiffe_id(), ed25519.display_name()), (None, "spiffe://a/b".to_owned()));
    assert_eq!(
        (ed25519.common_name, &*ed25519.fingerprint),
        (None, "9a73f52061783462ff86605b58289fc5065d48f2602f53ed365264af7341be91")
    );
}

#[test]
fn whose_identity_a_spiffe_id_is() {
    let id_of = |change: &dyn Fn(&mut CertificateParams)| {
        let made = made(|params| {
            params.subject_alt_names.push(uri("spiffe://a/b"));
            change(params);
        });
        Certificate::from_der(&made).unwrap().spiffe_id().map(str::to_owned)
    };
    assert_eq!(id_of(&|_| ()).as_deref(), Some("spiffe://a/b"));
    assert_eq!(
        id_of(&|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]).as_deref(),
        Some("spiffe://a/b")
    );
    assert_eq!(id_of(&|params| params.is_ca = IsCa::ExplicitNoCa).as_deref(), Some("spiffe://a/b"));
    assert_eq!(id_of(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), None);
    assert_eq!(id_of(&|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]), None);
    assert_eq!(id_of(&|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]), None);
    assert_eq!(id_of(&|params| params.subject_alt_names.push(uri("https://a/b"))), None);
    assert_eq!(id_of(&|params| params.subject_alt_names = vec![uri("https://a/b")]), None);
}

#[test]
fn many_names_and_none() {
    let named = |count: usize| {
        made(|params| {
            let name = |number| SanType::DnsName(format!("host-{number}.example").try_into().unwrap());
            params.subject_alt_names = (0..count).map(name).collect();
        })
    };
    let most = Certificate::from_der(&named(NAME_LIMIT)).unwrap();
    assert_eq!((most.names.len(), most.dns_names().last()), (NAME_LIMIT, Some("host-999.example")));
    assert!(Certificate::from_der(&named(NAME_LIMIT + 1)).is_err());
    let none = Certificate::from_der(&named(0)).unwrap();
    assert_eq!((none.names, none.common_name.as_deref()), (Vec::new(), Some("rcgen self signed cert")));
    let too_large = Certificate::from_der(&vec![0; SIZE_LIMIT + 1]).unwrap_err();
    assert_eq!(too_large, "the certificate has more than 64 KiB");
}

#[test]
fn a_name_that_could_not_stand_in_a_log_is_refused() {
    for name in ["a\0b", "a b", "a\nb", "\u{7f}", ""] {
        let made = made(|params| params.subject_alt_names = vec![uri(name)]);
        assert!(Certificate::from_der(&made).is_err(), "{name:?}");
    }
    let made = made(|params| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, "two\r\nlines");
    });
    assert_eq!(Certificate::from_der(&made).unwrap().display_name(), "two  lines");
}

#[test]
fn the_time_in_which_it_is_valid() {
    let made = made(|params| {
        (params.not_before, params.not_after) = (date_time_ymd(2051, 1, 1), date_time_ymd(2052, 1, 1));
    });
    let certificate = Certificate::from_der(&made).unwrap();
    assert_eq!((certificate.not_before, certificate.not_after), (2_556_144_000, 2_587_680_000));
    let invalid_at = |seconds| certificate.invalid_at(UNIX_EPOCH + Duration::from_secs(seconds));
    assert!(invalid_at(2_556_143_999).is_some_and(|reason| reason.contains("not valid yet")));
    assert_eq!((invalid_at(2_556_144_000), invalid_at(2_587_680_000)), (None, None));
    assert_eq!(invalid_at(2_587_680_001), Some("the certificate has expired"));
}
