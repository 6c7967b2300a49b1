//! TLS for one server: which authorities to trust, which certificate to show, which name to ask for.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, client::danger::ServerCertVerifier, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    failure::Failure,
    named_certificate::TrustNamed,
    options::Options,
    pem,
    source::Source,
    stream::Stream,
    trust::{TrustAnyone, system_roots},
};

/// The options that [`TlsClient`] takes
pub const TLS_OPTIONS: [&str; 5] = ["ca=PATH", "cert=PATH", "key=PATH", "sni=NAME", "insecure"];

/// TLS with one server. Its files are read at the first connection, and again when they change.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Source<Arc<ClientConfig>>,
    sni: Option<String>,
}

impl TlsClient {
    /// Takes [`TLS_OPTIONS`]. No file is read, but a system without authorities is refused where they are needed.
    pub fn from_options(options: &mut Options) -> Result<Self, String> {
        let ca = options.text("ca")?.map(PathBuf::from);
        let identity = match (options.text("cert")?, options.text("key")?) {
            (Some(cert), Some(key)) => Some((PathBuf::from(cert), PathBuf::from(key))),
            (None, None) => None,
            _ => return Err("options cert and key go together".into()),
        };
        let sni = options.text("sni")?;
        if let Some(name) = &sni {
            server_name(name).map_err(|_| "option sni: this is not a host name".to_owned())?;
        }
        let insecure = options.switch("insecure")?;
        if ca.is_none() && !insecure && system_roots().is_empty() {
            return Err(
                "no CA certificates on this system: mount a bundle and name it with ca=PATH or SSL_CERT_FILE".into()
            );
        }
        let settings = Settings { ca, identity, insecure };
        let files = settings.files();
        let config = if files.is_empty() {
            Source::Fixed(settings.read()?)
        } else {
            Source::files(files, move || settings.read())
        };
        Ok(Self { config, sni })
    }

    /// For a plain server that may lead to a TLS one by a redirect.
    pub fn without_options(may_be_redirected: bool) -> Result<Self, String> {
        let roots = if may_be_redirected { system_roots() } else { RootCertStore::empty().into() };
        Ok(Self { config: Source::Fixed(config(Trust::Authorities(roots), None)?), sni: None })
    }

    /// The name to ask a server at `host` for, and to verify: that of the option `sni`, or the host
    pub fn name_for(&self, host: &str) -> Result<ServerName<'static>, String> {
        server_name(self.sni.as_deref().unwrap_or(host))
    }

    /// The option `sni`
    pub(crate) fn sni(&self) -> Option<&str> {
        self.sni.as_deref()
    }

    /// The settings as the files are now; the same `Arc` as long as no file changes
    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, Failure> {
        self.config.current().await
    }

    /// The files that the options name
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.config.paths().iter().map(PathBuf::as_path)
    }

    /// Reads the files if that is due, so that a fault in them shows before a server is dialed.
    pub async fn ready(&self) -> Result<(), Failure> {
        self.config.current().await.map(drop)
    }

    /// Speaks TLS with the server that proves to be `name`, offering one application protocol (ALPN).
    pub async fn connect<S: Stream>(
        &self,
        name: ServerName<'static>,
        stream: S,
        protocol: Option<&[u8]>,
    ) -> Result<TlsStream<S>, Failure> {
        let mut config = self.config.current().await?;
        if let Some(protocol) = protocol {
            Arc::make_mut(&mut config).alpn_protocols = vec![protocol.to_vec()];
        }
        Ok(TlsConnector::from(config).connect(name, stream).await?)
    }
}

/// A name that a certificate can have
pub fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.to_owned()).map_err(|_| format!("{name} can't be a certificate's name"))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The files of the options, and how far to trust
struct Settings {
    ca: Option<PathBuf>,
    /// Certificate and key
    identity: Option<(PathBuf, PathBuf)>,
    insecure: bool,
}

/// Which server certificates are trusted
enum Trust {
    Any,
    Authorities(Arc<RootCertStore>),
    /// The authorities of a file, and the certificates of the file themselves
    Named(Arc<RootCertStore>, Vec<CertificateDer<'static>>),
}

impl Settings {
    fn files(&self) -> Vec<PathBuf> {
        let identity = self.identity.iter().flat_map(|(cert, key)| [cert, key]);
        self.ca.iter().chain(identity).cloned().collect()
    }

    fn read(&self) -> Result<Arc<ClientConfig>, String> {
        let trust = match &self.ca {
            _ if self.insecure => Trust::Any,
            Some(path) => {
                let (roots, certificates) = pem::roots(path).map_err(|error| format!("option ca: {error}"))?;
                Trust::Named(roots, certificates)
            }
            None => Trust::Authorities(system_roots()),
        };
        let identity = match &self.identity {
            Some((cert, key)) => Some((
                pem::certificates(cert).map_err(|error| format!("option cert: {error}"))?,
                pem::key(key).map_err(|error| format!("option key: {error}"))?,
            )),
            None => None,
        };
        config(trust, identity)
    }
}

fn config(trust: Trust, identity: Option<Identity>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let verified_by =
        |verifier: Arc<dyn ServerCertVerifier>| builder.clone().dangerous().with_custom_certificate_verifier(verifier);
    let builder = match trust {
        Trust::Any => verified_by(Arc::new(TrustAnyone(provider))),
        Trust::Named(roots, named) => verified_by(Arc::new(TrustNamed::new(roots, named, provider)?)),
        Trust::Authorities(roots) => builder.with_root_certificates(roots),
    };
    let config = match identity {
        Some((certificates, key)) => builder
            .with_client_auth_cert(certificates, key)
            .map_err(|_| "options cert and key: the key cannot be used, or it is not the certificate's".to_owned())?,
        None => builder.with_no_client_auth(),
    };
    Ok(config.into())
}
