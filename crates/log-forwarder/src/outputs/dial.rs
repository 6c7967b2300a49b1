//! Connections to a host and a port, plain or with TLS.

use std::{io, time::Duration};

use endpoint::{Address, Failure, Names, SILENCE_LIMIT, Stream, TlsClient};
use rustls_pki_types::ServerName;
use tokio::time;
use url::Url;

use super::{Setup, Shared};

/// A connection must stand within this, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The options of kinds with TLS
pub(super) const TLS: Shared = Shared { name: "TLS", options: &endpoint::TLS_OPTIONS };

/// Where an output connects to, and how
pub(super) struct Dialer {
    pub(super) address: Address,
    names: Names,
    /// How long the other side may acknowledge nothing
    pub(super) silence: Duration,
    secure: Option<(TlsClient, ServerName<'static>)>,
}

impl Dialer {
    /// Plain TCP.
    pub(super) fn plain(url: &Url, default_port: Option<u16>) -> Result<Self, String> {
        Ok(Self {
            address: Address::of(url, default_port)?,
            names: Names::default(),
            silence: SILENCE_LIMIT,
            secure: None,
        })
    }

    /// With TLS, as the options say. Its files may appear later.
    pub(super) fn secure(setup: &mut Setup, default_port: Option<u16>) -> Result<Self, String> {
        let plain = Self::plain(setup.url, default_port)?;
        let tls = TlsClient::from_options(&mut setup.options)?;
        let name = tls.name_for(&plain.address.host)?;
        Ok(Self { secure: Some((tls, name)), ..plain })
    }

    /// A new connection, or the reason why there is none.
    pub(super) async fn dial(&self) -> Result<Box<dyn Stream>, String> {
        match time::timeout(CONNECT_TIMEOUT, self.connect()).await {
            Ok(connected) => connected.map_err(|failure| failure.to_string()),
            Err(_) => Err(self.names.unanswered().map_or_else(
                || format!("no connection within {}", lifecycle::format_duration(CONNECT_TIMEOUT)),
                |failure| failure.to_string(),
            )),
        }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let Some((tls, name)) = &self.secure else {
            return Ok(Box::new(endpoint::dial_with_limit(&self.address, &self.names, self.silence).await?));
        };
        // A fault in the files shows also while the server is away.
        tls.ready().await?;
        let stream = endpoint::dial_with_limit(&self.address, &self.names, self.silence).await?;
        Ok(Box::new(tls.connect(name.clone(), stream, &[]).await?))
    }
}

/// The text of an I/O error, also of one that holds a TLS error.
pub(super) fn error_text(error: &io::Error) -> String {
    Failure::from(error).to_string()
}
