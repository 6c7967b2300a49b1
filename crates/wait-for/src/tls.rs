//! TLS for one target: whom to trust, who we are, which name to ask for.

use std::{
    error::Error,
    io,
    path::Path,
    sync::{Arc, OnceLock},
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    check::{Cause, NotReady, said},
    connect::Stream,
    options::Options,
};

/// The options that every kind with TLS takes
pub(crate) const OPTIONS: [&str; 5] = ["ca=PATH", "cert=PATH", "key=PATH", "sni=NAME", "insecure"];

/// TLS settings of one target
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// The name to ask for and to verify, where it is not the host
    pub(crate) sni: Option<String>,
}

impl Tls {
    /// Takes `ca`, `cert`, `key`, `insecure` and `sni`; files are read now, so that a wrong path is told at once.
    pub(crate) fn from_options(options: &mut Options) -> Result<Self, String> {
        let roots = match options.text("ca")? {
            Some(path) => read_roots(Path::new(&path)).map_err(|error| format!("option ca: {error}"))?,
            None => system_roots(),
        };
        let identity = match (options.text("cert")?, options.text("key")?) {
            (Some(cert), Some(key)) => Some((
                read_certificates(Path::new(&cert)).map_err(|error| format!("option cert: {error}"))?,
                read_key(Path::new(&key)).map_err(|error| format!("option key: {error}"))?,
            )),
            (None, None) => None,
            _ => return Err("options cert and key go together".into()),
        };
        let sni = options.text("sni")?;
        if let Some(name) = &sni {
            ServerName::try_from(name.as_str()).map_err(|_| format!("option sni: {name:?} is not a host name"))?;
        }
        let insecure = options.switch("insecure")?;
        if roots.is_empty() && !insecure {
            return Err(
                "no CA certificates on this system: mount a bundle and name it with ca=PATH or SSL_CERT_FILE".into()
            );
        }
        Self::new(roots, identity, insecure, sni)
    }

    /// For a plain target that may be led to a TLS one by a redirect.
    pub(crate) fn unconfigured(may_be_redirected: bool) -> Result<Self, String> {
        let roots = if may_be_redirected { system_roots() } else { RootCertStore::empty().into() };
        Self::new(roots, None, false, None)
    }

    fn new(
        roots: Arc<RootCertStore>,
        identity: Option<Identity>,
        insecure: bool,
        sni: Option<String>,
    ) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let builder = if insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnyone(provider)))
        } else {
            builder.with_root_certificates(roots)
        };
        let config = match identity {
            Some((certificates, key)) => builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| format!("options cert and key: {error}"))?,
            None => builder.with_no_client_auth(),
        };
        Ok(Self { config: config.into(), sni })
    }

    /// Speaks TLS on a connection to `host`.
    pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, NotReady> {
        self.connect_as(self.sni.as_deref().unwrap_or(host), stream, None).await
    }

    /// Speaks TLS with whoever proves to be `name`, offering one application protocol (ALPN).
    pub(crate) async fn connect_as<S: Stream>(
        &self,
        name: &str,
        stream: S,
        protocol: Option<&[u8]>,
    ) -> Result<TlsStream<S>, NotReady> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| NotReady::never(format!("{name} can't be a certificate's name")))?;
        let mut config = self.config.clone();
        if let Some(protocol) = protocol {
            Arc::make_mut(&mut config).alpn_protocols = vec![protocol.to_vec()];
        }
        Ok(TlsConnector::from(config).connect(name, stream).await?)
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What the system trusts, read once; empty where an image has no bundle.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.into()
    };
    ROOTS.get_or_init(read).clone()
}

fn read_roots(path: &Path) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots.into())
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: rustls_pki_types::pem::Error| pem_error(path, &error);
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(format!("{} holds no PEM certificate", path.display())),
        certificates => certificates.map_err(wrong),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| pem_error(path, &error))
}

fn pem_error(path: &Path, error: &rustls_pki_types::pem::Error) -> String {
    let path = path.display();
    match error {
        rustls_pki_types::pem::Error::Io(error) => format!("cannot read {path}: {error}"),
        rustls_pki_types::pem::Error::NoItemsFound => format!("{path} holds no PEM private key"),
        error => format!("{path} is not PEM: {error}"),
    }
}

/// What a TLS error inside an I/O error means.
pub(crate) fn failure(error: &io::Error) -> Option<NotReady> {
    let mut cause: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(inner) = cause {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Some(meaning(tls));
        }
        cause =
            inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as _).or(inner.source());
    }
    None
}

fn meaning(error: &rustls::Error) -> NotReady {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            NotReady::new(Cause::Odd, "the certificate is not valid yet")
        }
        // rustls' own words count the seconds since, and would be news at each attempt.
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            NotReady::never("the certificate has expired")
        }
        Tls::InvalidCertificate(CertificateError::Other(reason))
            if reason.to_string().contains("CaUsedAsEndEntity") =>
        {
            NotReady::never(
                "the certificate is an authority's own (CA:TRUE): let it sign one for the server, or give insecure",
            )
        }
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => {
            NotReady::never("the certificate is signed by an unknown authority; name it with ca=PATH")
        }
        Tls::InvalidCertificate(reason) => {
            NotReady::never(format!("the certificate is refused: {}", said(&reason.to_string())))
        }
        Tls::AlertReceived(AlertDescription::CertificateRequired) => {
            NotReady::denied("the server wants a client certificate: give cert=PATH and key=PATH")
        }
        Tls::AlertReceived(
            AlertDescription::BadCertificate | AlertDescription::UnknownCA | AlertDescription::CertificateUnknown,
        ) => NotReady::denied("the server refuses our client certificate"),
        Tls::InvalidMessage(_) => NotReady::new(Cause::Odd, "the answer is not TLS"),
        error => NotReady::new(Cause::Odd, format!("TLS fails: {}", said(&error.to_string()))),
    }
}

/// For `insecure`: any certificate will do, though the server must hold its key.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
