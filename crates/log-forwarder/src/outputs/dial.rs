//! Connections to a host and a port, plain or with TLS.

use std::{io, time::Duration};

use endpoint::{Tls, TlsSettings};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time,
};
use url::Url;

use super::{Setup, Shared};
use crate::stamp::Stamp;

/// A connection must stand within this, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The options of kinds with TLS
pub(super) const TLS: Shared = Shared { name: "TLS", options: &endpoint::TLS_OPTIONS };

/// A byte stream, plain or TLS
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where an output connects to, and how
pub(super) struct Dialer {
    pub(super) address: Address,
    secure: Option<Secure>,
}

impl Dialer {
    /// Plain TCP.
    pub(super) fn plain(url: &Url, default_port: Option<u16>) -> Result<Self, String> {
        Ok(Self { address: Address::of(url, default_port)?, secure: None })
    }

    /// With TLS, as the options say; its files may come later.
    pub(super) fn secure(setup: &mut Setup, default_port: Option<u16>) -> Result<Self, String> {
        let address = Address::of(setup.url, default_port)?;
        let settings = TlsSettings::from_options(&mut setup.options)?;
        let name = settings.name_for(&address.host)?;
        Ok(Self { address, secure: Some(Secure { settings, name, current: None }) })
    }

    /// A new connection, or in words why there is none.
    pub(super) async fn dial(&mut self) -> Result<Box<dyn Stream>, String> {
        time::timeout(CONNECT_TIMEOUT, self.connect()).await.unwrap_or_else(|_| Err("no connection within 10 s".into()))
    }

    async fn connect(&mut self) -> Result<Box<dyn Stream>, String> {
        let tls = self.secure.as_mut().map(Secure::current).transpose()?;
        let stream = self.address.dial().await.map_err(|error| error_text(&error))?;
        match (tls, &self.secure) {
            (Some(tls), Some(secure)) => {
                let secured = tls.connect(secure.name.clone(), stream, None).await;
                Ok(Box::new(secured.map_err(|error| error_text(&error))?))
            }
            _ => Ok(Box::new(stream)),
        }
    }
}

/// What an I/O error says, one of TLS included.
pub(super) fn error_text(error: &io::Error) -> String {
    endpoint::tls_error(error).map_or_else(|| error.to_string(), endpoint::tls_error_text)
}

/// TLS whose certificates and keys are renewed while it is used
struct Secure {
    settings: TlsSettings,
    name: ServerName<'static>,
    /// What was read last, and from which files
    current: Option<(Vec<Option<Stamp>>, Tls)>,
}

impl Secure {
    /// Reads the files if they are not the ones that were read.
    fn current(&mut self) -> Result<Tls, String> {
        // Before reading: a change in between is seen next time.
        let stamps: Vec<_> = self.settings.files().map(Stamp::of).collect();
        if let Some((known, tls)) = &self.current
            && *known == stamps
        {
            return Ok(tls.clone());
        }
        let tls = self.settings.read()?;
        self.current = Some((stamps, tls.clone()));
        Ok(tls)
    }
}

/// A host and a port to dial
#[derive(Clone, Debug)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    pub(super) fn of(url: &Url, default_port: Option<u16>) -> Result<Self, String> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing")?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = url.port().or(default_port).filter(|port| *port > 0);
        let port = port.ok_or_else(|| format!("the port is missing: write {}://{host}:PORT", url.scheme()))?;
        Ok(Self { host, port })
    }

    /// Connects to the first address of the name that accepts.
    async fn dial(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // A batch is written whole; its last bytes must not wait for an answer to the first.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// `host:port`, as requests name it
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}
