//! TLS for one server: which authorities to trust, which certificate to show, which name to ask for.

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use rustls::{ClientConfig, RootCertStore, client::danger::ServerCertVerifier, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    certificate::Certificate,
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

/// TLS with one server. Its files are read at the first connection, and again when they change. Clones share what was read, and
/// the sessions that connections resume.
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Source<Arc<ClientConfig>>,
    settings: Settings,
    sni: Option<String>,
    /// The settings of the last connection that offered protocols
    offering: Arc<Mutex<Option<Offering>>>,
}

/// Settings with the application protocols that a connection offers
#[derive(Debug)]
struct Offering {
    /// Those without protocols
    base: Arc<ClientConfig>,
    config: Arc<ClientConfig>,
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
        let (files, read) = (settings.files(), settings.clone());
        let config = if files.is_empty() {
            Source::Fixed(settings.read()?)
        } else {
            Source::files(files, move || read.read_and_warn())
        };
        Ok(Self { config, settings, sni, offering: Arc::default() })
    }

    /// For a plain server that may lead to a TLS one by a redirect: [`TLS_OPTIONS`] are meant for that one. A system without
    /// authorities is no fault, because the redirect may lead to another plain server.
    pub fn for_redirects(options: &mut Options) -> Result<Self, String> {
        let names = TLS_OPTIONS.map(|option| option.split_once('=').map_or(option, |(name, _)| name));
        if options.names().iter().any(|name| names.contains(&name.as_str())) {
            return Self::from_options(options);
        }
        Self::trusting(system_roots())
    }

    /// For a plain server.
    pub fn without_options() -> Result<Self, String> {
        Self::trusting(RootCertStore::empty().into())
    }

    fn trusting(roots: Arc<RootCertStore>) -> Result<Self, String> {
        let config = Source::Fixed(config(Trust::Authorities(roots), None)?);
        Ok(Self { config, settings: Settings::default(), sni: None, offering: Arc::default() })
    }

    /// The name to ask a server at `host` for, and to verify: that of the option `sni`, or the host
    pub fn name_for(&self, host: &str) -> Result<ServerName<'static>, String> {
        server_name(self.sni.as_deref().unwrap_or(host))
    }

    /// The option `sni`
    pub(crate) fn sni(&self) -> Option<&str> {
        self.sni.as_deref()
    }

    /// The option `ca`: the only authorities that are trusted
    pub fn ca(&self) -> Option<&Path> {
        self.settings.ca.as_deref()
    }

    /// The option `cert`: the certificate that is shown to the server
    pub fn cert(&self) -> Option<&Path> {
        self.settings.identity.as_ref().map(|(cert, _)| cert.as_path())
    }

    /// The option `insecure`: any certificate is trusted
    pub fn is_insecure(&self) -> bool {
        self.settings.insecure
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

    /// Reads all files once, and says what is wrong with them. It blocks on their volumes.
    pub fn check(&self) -> Result<(), String> {
        if self.config.paths().is_empty() {
            return Ok(());
        }
        self.settings.read()?;
        self.settings.judge_identity(SystemTime::now())
    }

    /// Speaks TLS with the server that proves to be `name`, offering these application protocols (ALPN).
    pub async fn connect<S: Stream>(
        &self,
        name: ServerName<'static>,
        stream: S,
        protocols: &[&[u8]],
    ) -> Result<TlsStream<S>, Failure> {
        let config = self.offering(self.config.current().await?, protocols);
        Ok(TlsConnector::from(config).connect(name, stream).await?)
    }

    /// The settings with these protocols. Connections that offer the same ones share them, so that none makes a copy.
    fn offering(&self, base: Arc<ClientConfig>, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        if protocols.is_empty() {
            return base;
        }
        let mut last = self.offering.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(same) if Arc::ptr_eq(&same.base, &base) && same.config.alpn_protocols == protocols => {
                same.config.clone()
            }
            _ => {
                let mut config = ClientConfig::clone(&base);
                config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
                let config = Arc::new(config);
                *last = Some(Offering { base, config: config.clone() });
                config
            }
        }
    }
}

/// A name that a certificate can have
pub fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.to_owned()).map_err(|_| format!("{name} can't be a certificate's name"))
}

/// A certificate that is shown to the server
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// The fault of a key that does not fit
    misfit: String,
}

/// Two are equal that have equal options.
impl PartialEq for TlsClient {
    fn eq(&self, other: &Self) -> bool {
        (&self.settings, &self.sni) == (&other.settings, &other.sni)
    }
}

impl Eq for TlsClient {}

/// The files of the options, and how far to trust
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

    /// A client certificate that is not valid is shown all the same: whether it will do is the server's decision.
    fn read_and_warn(&self) -> Result<Arc<ClientConfig>, String> {
        let config = self.read()?;
        if let Err(reason) = self.judge_identity(SystemTime::now()) {
            tracing::warn!(reason, "a client certificate is shown although it is not valid");
        }
        Ok(config)
    }

    /// Reads the certificate that is shown to the server, and says whether it is valid at this time.
    fn judge_identity(&self, now: SystemTime) -> Result<(), String> {
        let Some((cert, _)) = &self.identity else { return Ok(()) };
        let about_it = |reason: &str| format!("option cert: {}: {reason}", cert.display());
        let chain = pem::certificates(cert).map_err(|error| format!("option cert: {error}"))?;
        let Some(first) = chain.first() else { return Ok(()) };
        let certificate = Certificate::from_der(first).map_err(|reason| about_it(&reason))?;
        certificate.invalid_at(now).map_or(Ok(()), |reason| Err(about_it(reason)))
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
            Some((cert, key)) => Some(Identity {
                chain: pem::certificates(cert).map_err(|error| format!("option cert: {error}"))?,
                key: pem::key(key).map_err(|error| format!("option key: {error}"))?,
                misfit: format!(
                    "options cert and key: {} cannot be used, or it is not the key of the first certificate in {}",
                    key.display(),
                    cert.display()
                ),
            }),
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
        Some(Identity { chain, key, misfit }) => builder.with_client_auth_cert(chain, key).map_err(|_| misfit)?,
        None => builder.with_no_client_auth(),
    };
    Ok(config.into())
}
