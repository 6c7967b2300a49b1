//! Certificates and keys in PEM files.

use std::{fs, io, path::Path, sync::Arc};

use rustls::RootCertStore;
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

/// Bytes; the bundle of a whole system has a tenth of that, and a wrong path could name anything.
const FILE_LIMIT: u64 = 4 * 1024 * 1024;
/// Files of a folder of authorities; a system's has two names for each of 150.
const FOLDER_LIMIT: usize = 1000;
/// Editors on Windows put it before the first BEGIN line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// All certificates of a file or a folder as authorities, and the certificates themselves
pub(crate) fn roots(path: &Path) -> Result<(Arc<RootCertStore>, Vec<CertificateDer<'static>>), String> {
    let certificates = if path.is_dir() { of_folder(path)? } else { certificates(path)? };
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        let added = roots.add(certificate.clone());
        added.map_err(|_| format!("{} holds a certificate that is broken", path.display()))?;
    }
    Ok((roots.into(), certificates))
}

/// All certificates of the files in a folder; at least one. Files without any are left out, and so are hidden ones, because
/// the kubelet keeps `..data` there.
fn of_folder(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {}", path.display(), lifecycle::io_text(&error));
    let entries = fs::read_dir(path).map_err(cannot)?.take(FOLDER_LIMIT + 1).collect::<Result<Vec<_>, _>>();
    let mut files: Vec<_> = entries.map_err(cannot)?.iter().map(fs::DirEntry::path).collect();
    if files.len() > FOLDER_LIMIT {
        return Err(format!("{} has more than {FOLDER_LIMIT} files", path.display()));
    }
    let is_hidden = |file: &Path| file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    files.retain(|file| !is_hidden(file) && file.is_file());
    files.sort_unstable();
    // One certificate may have several names, as those that c_rehash makes.
    let mut found: Vec<_> = Vec::new();
    for certificate in files.iter().filter_map(|file| certificates(file).ok()).flatten() {
        if !found.contains(&certificate) {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(format!("{} is a folder without a PEM certificate", path.display())) } else { Ok(found) }
}

/// All certificates of a file; at least one
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = with_plain_labels(&read(path)?);
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&bytes).map(|der| der.map(without_trust)).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(format!("{} holds no PEM certificate", path.display())),
        certificates => certificates.map_err(|error| pem_error(path, &error)),
    }
}

/// The first private key of a file
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        if is_encrypted(&bytes) {
            return format!(
                "the key in {} is encrypted: take its passphrase away, as `openssl pkey` does",
                path.display()
            );
        }
        pem_error(path, &error)
    })
}

/// The labels of OpenSSL's older and extended forms as the plain one
fn with_plain_labels(bytes: &[u8]) -> Vec<u8> {
    const LABELS: [&[u8]; 2] = [b"TRUSTED CERTIFICATE-----", b"X509 CERTIFICATE-----"];
    let plain = |line: &[u8]| {
        let marks: [&[u8]; 2] = [b"-----BEGIN ", b"-----END "];
        let mark = marks.into_iter().find(|mark| line.starts_with(mark))?;
        LABELS.contains(&line[mark.len()..].trim_ascii_end()).then(|| [mark, b"CERTIFICATE-----"].concat())
    };
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| plain(line).unwrap_or_else(|| line.to_vec()));
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// The certificate alone: OpenSSL's `TRUSTED CERTIFICATE` has a list of purposes behind it.
fn without_trust(der: CertificateDer<'static>) -> CertificateDer<'static> {
    const SEQUENCE: u8 = 0x30;
    // A certificate is longer than 255 bytes and shorter than 64 KiB, so its length has two bytes (X.690, section 8.1.3).
    match *der.as_ref() {
        [SEQUENCE, 0x82, high, low, ..] => {
            let end = 4 + usize::from(u16::from_be_bytes([high, low]));
            der.get(..end).map(|bytes| CertificateDer::from(bytes.to_vec())).unwrap_or(der)
        }
        _ => der,
    }
}

/// Whether a key needs a passphrase: in PKCS #8 (RFC 5958), or in the older form of OpenSSL with a header of RFC 1421
fn is_encrypted(bytes: &[u8]) -> bool {
    const MARKS: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];
    bytes.split(|byte| *byte == b'\n').any(|line| MARKS.contains(&line.trim_ascii()))
}

/// The bytes of a file without a byte-order mark
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {}", path.display(), lifecycle::io_text(&error));
    let mut bytes = lifecycle::read_bytes(path, FILE_LIMIT).map_err(cannot)?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(bytes)
}

/// Says what is wrong with a PEM file. The parser's own errors hold lines of the file, which may be the private key, so
/// they are never formatted.
fn pem_error(path: &Path, error: &pem::Error) -> String {
    let path = path.display();
    match error {
        pem::Error::NoItemsFound => format!("{path} holds no PEM private key"),
        pem::Error::IllegalSectionStart { .. } => {
            format!("{path} is not PEM: the text after a BEGIN line is on the same line; were its line breaks lost?")
        }
        pem::Error::MissingSectionEnd { .. } => {
            format!(
                "{path} is not PEM: a BEGIN line has no END line; is the file cut short, or were its line breaks lost?"
            )
        }
        pem::Error::Base64Decode(_) => format!("{path} is not PEM: the text between BEGIN and END is not Base64"),
        pem::Error::SectionTooLarge => format!("{path} is not PEM: a section is too large"),
        _ => format!("{path} is not PEM"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";

    fn pem_of(label: &str, der: &[u8]) -> String {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    /// The errors about a file, as a key and as certificates
    fn errors(text: &str) -> [String; 2] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        std::fs::write(&path, text).unwrap();
        [key(&path).map(drop).unwrap_err(), certificates(&path).map(drop).unwrap_err()]
    }

    #[test]
    fn no_error_holds_any_of_the_file() {
        let broken = [
            format!("-----BEGIN PRIVATE KEY----- {KEY} -----END PRIVATE KEY-----"),
            format!("-----BEGIN PRIVATE KEY-----{KEY}-----END PRIVATE KEY-----"),
            format!("-----BEGIN PRIVATE KEY-----\\n{KEY}\\n-----END PRIVATE KEY-----\\n"),
            format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n"),
            format!("-----BEGIN PRIVATE KEY-----\n{KEY}!\n-----END PRIVATE KEY-----\n"),
            format!("-----BEGIN {KEY}\n{KEY}\n-----END PRIVATE KEY-----\n"),
            format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END {KEY}-----\n"),
            KEY.to_owned(),
        ];
        let bytes: Vec<_> = KEY.bytes().take(4).map(|byte| byte.to_string()).collect();
        for text in broken {
            for error in errors(&text) {
                assert!(!error.contains(&KEY[..6]) && !error.contains(&bytes.join(", ")), "{error}");
            }
        }
    }

    #[test]
    fn a_key_with_a_passphrase_is_named() {
        let old = "RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,00\r\n\r\n";
        for (begin, end) in [("ENCRYPTED PRIVATE KEY-----\n", "ENCRYPTED PRIVATE KEY"), (old, "RSA PRIVATE KEY")] {
            let [key, _] = errors(&format!("-----BEGIN {begin}{KEY}\n-----END {end}-----\n"));
            assert!(key.contains("is encrypted: take its passphrase away") && !key.contains(&KEY[..6]), "{key}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_the_labels_of_openssl_are_read() {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (plain, der) = (pair.cert.pem(), pair.cert.der());
        let trusted = [der.as_ref(), &[0x30, 0x0a, 0x30, 0x08, 6, 6, 0x2b, 6, 1, 5, 5, 7]].concat();
        let trusted = pem_of("TRUSTED CERTIFICATE", &trusted);
        let x509 = pem_of("X509 CERTIFICATE", der);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        for text in [format!("\u{feff}{plain}"), trusted.clone(), x509, trusted.replace('\n', "\r\n")] {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(certificates(&path).unwrap(), std::slice::from_ref(der), "{text}");
            roots(&path).unwrap();
        }
        std::fs::write(&path, format!("\u{feff}{}", pair.signing_key.serialize_pem())).unwrap();
        key(&path).unwrap();
    }

    #[test]
    fn a_folder_of_authorities_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert!(roots(path).unwrap_err().ends_with("is a folder without a PEM certificate"));
        let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        let (one, other) = (pair(), pair());
        for (name, text) in
            [("a.pem", &one), ("again.0", &one), ("b.crt", &other), (".hidden", &pair()), ("README", &"no".to_owned())]
        {
            std::fs::write(path.join(name), text).unwrap();
        }
        std::fs::create_dir(path.join("sub")).unwrap();
        let (store, certificates) = roots(path).unwrap();
        assert_eq!((store.len(), certificates.len()), (2, 2));
    }

    proptest::proptest! {
        #[test]
        fn no_certificate_makes_the_reader_panic(bytes: Vec<u8>) {
            let _ = with_plain_labels(&bytes);
            let _ = without_trust(bytes.into());
        }
    }

    #[test]
    fn lost_line_breaks_are_named() {
        let [key, certificates] = errors(&format!("-----BEGIN PRIVATE KEY----- {KEY} -----END PRIVATE KEY-----"));
        assert!(key.ends_with("were its line breaks lost?"), "{key}");
        assert!(certificates.ends_with("were its line breaks lost?"), "{certificates}");
    }
}
