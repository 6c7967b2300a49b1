//! TLS for one server: which authorities to trust, which certificate to show, which name to ask for.

mod client_certificate;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio_rustls::{TlsConnector, client::TlsStream};

use self::settings::{Made, Settings, Trust};
use crate::{failure::Failure, options::Options, source::Source, stream::Stream, trust::system_roots};

/// The options that [`TlsClient`] takes
pub const TLS_OPTIONS: [&str; 5] = ["ca=PATH", "cert=PATH", "key=PATH", "sni=NAME", "insecure"];

/// TLS with one server. Its files are read at the first connection, and again when they change. Clones share what was read, and
/// the sessions that connections resume.
#[derive(Clone, Debug)]
pub struct TlsClient {
    made: Source<Made>,
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
        Self::with_names(options, false)
    }

    /// Takes [`TLS_OPTIONS`], `ca` among them, for a server whose certificate may have any name or none, as those do that
    /// MySQL makes for itself. Its authority must be one of `ca`, because the system's authorities sign for every server.
    pub fn for_any_name(options: &mut Options) -> Result<Self, String> {
        Self::with_names(options, true)
    }

    fn with_names(options: &mut Options, any_name: bool) -> Result<Self, String> {
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
        if any_name && (ca.is_none() || insecure) {
            return Err("tls=verify-ca goes with ca=PATH, and without insecure".into());
        }
        if ca.is_none() && !insecure && system_roots().is_empty() {
            return Err(match lifecycle::variable("SSL_CERT_FILE") {
                Ok(path) => format!("no CA certificates in {path}, which SSL_CERT_FILE names: is the file there?"),
                Err(_) => {
                    "no CA certificates on this system: mount a bundle and name it with ca=PATH or SSL_CERT_FILE".into()
                }
            });
        }
        let settings = Settings { ca, identity, insecure, any_name };
        let (files, read) = (settings.files(), settings.clone());
        let made = if files.is_empty() {
            Source::Fixed(settings.read()?)
        } else {
            Source::files(files, move || read.read_and_warn())
        };
        Ok(Self { made, settings, sni, offering: Arc::default() })
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
        let trust = Trust::Authorities { roots, named: Vec::new(), any_name: false };
        let made = Source::Fixed(Made::new(trust, None)?);
        Ok(Self { made, settings: Settings::default(), sni: None, offering: Arc::default() })
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
        Ok(self.made.current().await?.config)
    }

    /// The files that the options name
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.made.paths().iter().map(PathBuf::as_path)
    }

    /// Reads the files if that is due, so that a fault in them shows before a server is dialed.
    pub async fn ready(&self) -> Result<(), Failure> {
        self.made.current().await.map(drop)
    }

    /// Reads all files once, and says what is wrong with them. It blocks on their volumes.
    pub fn check(&self) -> Result<(), String> {
        if self.made.paths().is_empty() {
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
        let config = self.offering(self.config().await?, protocols);
        Ok(TlsConnector::from(config).connect(name, stream).await?)
    }

    /// The same without protocols or with them, as a stream whose errors tell of the client certificate: that the server wants
    /// one, or refuses the one that is given.
    pub async fn secure<S: Stream + 'static>(
        &self,
        name: ServerName<'static>,
        stream: S,
        protocols: &[&[u8]],
    ) -> Result<Box<dyn Stream>, Failure> {
        let made = self.made.current().await?;
        let config = self.offering(made.config.clone(), protocols);
        Ok(Box::new(made.request.connect(config, name, stream).await?))
    }

    /// The fault of the client certificate that the last error of a stream was, once: for libraries that lose it.
    pub async fn certificate_fault(&self) -> Option<Failure> {
        self.made.current().await.ok()?.request.take_fault().map(Failure::ClientCertificate)
    }

    /// Speaks TLS with any server, and judges it then: for servers that count a broken handshake as a fault of the client, so that
    /// the caller can take its leave of one that is not `name`. No secret may go to such a server.
    pub async fn secure_unjudged<S: Stream + 'static>(
        &self,
        name: ServerName<'static>,
        stream: S,
    ) -> Result<(Box<dyn Stream>, Result<(), Failure>), Failure> {
        let made = self.made.current().await?;
        let stream = made.request.connect(made.unjudged().into(), name.clone(), stream).await?;
        let judgement = made.judge(stream.certificates(), &name).map_err(Failure::Tls);
        Ok((Box::new(stream), judgement))
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

/// Two are equal that have equal options.
impl PartialEq for TlsClient {
    fn eq(&self, other: &Self) -> bool {
        (&self.settings, &self.sni) == (&other.settings, &other.sni)
    }
}

impl Eq for TlsClient {}
