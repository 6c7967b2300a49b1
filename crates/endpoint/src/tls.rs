//! TLS for one server: whom to trust, who we are, which name to ask for.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    options::Options,
    pem,
    trust::{TrustAnyone, system_roots},
};

/// The options that [`TlsSettings`] take
pub const TLS_OPTIONS: [&str; 5] = ["ca=PATH", "cert=PATH", "key=PATH", "sni=NAME", "insecure"];

/// What the options of a server say of TLS, its files not yet read
#[derive(Clone, Debug)]
pub struct TlsSettings {
    ca: Option<PathBuf>,
    /// Certificate and key
    identity: Option<(PathBuf, PathBuf)>,
    sni: Option<String>,
    insecure: bool,
}

/// TLS with one server
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// The name to ask for and to verify, where it is not the host
    pub sni: Option<String>,
}

impl TlsSettings {
    /// Takes `ca`, `cert`, `key`, `insecure` and `sni`. Files are not read, but that there is anyone to trust is seen to.
    pub fn from_options(options: &mut Options) -> Result<Self, String> {
        let ca = options.text("ca")?.map(PathBuf::from);
        let identity = match (options.text("cert")?, options.text("key")?) {
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            (None, None) => None,
            _ => return Err("options cert and key go together".into()),
        };
        let sni = options.text("sni")?;
        if let Some(name) = &sni {
            server_name(name).map_err(|_| format!("option sni: {name:?} is not a host name"))?;
        }
        let insecure = options.switch("insecure")?;
        if ca.is_none() && !insecure && system_roots().is_empty() {
            return Err(
                "no CA certificates on this system: mount a bundle and name it with ca=PATH or SSL_CERT_FILE".into()
            );
        }
        Ok(Self { ca, identity, sni, insecure })
    }

    /// The name to ask a server at `host` for
    pub fn name_for(&self, host: &str) -> Result<ServerName<'static>, String> {
        server_name(self.sni.as_deref().unwrap_or(host))
    }

    /// The files that are named
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let identity = self.identity.iter().flat_map(|(cert, key)| [cert, key]);
        self.ca.iter().chain(identity).map(PathBuf::as_path)
    }

    /// Reads the files as they are now.
    pub fn read(&self) -> Result<Tls, String> {
        let roots = match &self.ca {
            Some(path) => pem::roots(path).map_err(|error| format!("option ca: {error}"))?,
            None => system_roots(),
        };
        let identity = match &self.identity {
            Some((cert, key)) => Some((
                pem::certificates(cert).map_err(|error| format!("option cert: {error}"))?,
                pem::key(key).map_err(|error| format!("option key: {error}"))?,
            )),
            None => None,
        };
        Tls::new(roots, identity, self.insecure, self.sni.clone())
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Tls {
    /// Likewise; files are read now, so that a wrong path is told at once.
    pub fn from_options(options: &mut Options) -> Result<Self, String> {
        TlsSettings::from_options(options)?.read()
    }

    /// For a plain server that may lead to a TLS one by a redirect.
    pub fn unconfigured(may_be_redirected: bool) -> Result<Self, String> {
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

    /// Speaks TLS with whoever proves to be `name`, offering one application protocol (ALPN).
    pub async fn connect<S>(
        &self,
        name: ServerName<'static>,
        stream: S,
        protocol: Option<&[u8]>,
    ) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut config = self.config.clone();
        if let Some(protocol) = protocol {
            Arc::make_mut(&mut config).alpn_protocols = vec![protocol.to_vec()];
        }
        TlsConnector::from(config).connect(name, stream).await
    }
}

/// A name that a certificate can have
pub fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.to_owned()).map_err(|_| format!("{name} can't be a certificate's name"))
}
