//! Connections to a host and a port, plain or with TLS, and through a proxy.

use std::{
    io,
    time::{Duration, Instant},
};

use endpoint::{Address, Failure, Names, Options, SILENCE_LIMIT, Stream, TlsClient};
use rustls_pki_types::ServerName;
use tokio::time;
use url::Url;

use super::{OptionGroup, Setup, proxy::Proxy};

/// A connection must stand within this, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The options of kinds with TLS
pub(super) const TLS: OptionGroup = OptionGroup { name: "TLS", options: &endpoint::TLS_OPTIONS };

/// The option that [`Dialer::take_age`] takes
pub(super) const AGE_OPTION: &str = "max-connection-age=10m";
/// A connection for each request would be another protocol.
const LEAST_AGE: Duration = Duration::from_secs(1);

/// Where an output connects to, and how
pub(super) struct Dialer {
    pub(super) address: Address,
    names: Names,
    /// How long the other side may acknowledge nothing
    pub(super) silence: Duration,
    secure: Option<(TlsClient, ServerName<'static>)>,
    /// Before the server
    pub(super) proxy: Option<Proxy>,
    /// How long a connection is used at most
    max_age: Option<Duration>,
    /// When the last connection has been used that long
    expires: Option<Instant>,
}

impl Dialer {
    /// Plain TCP.
    pub(super) fn plain(url: &Url, default_port: Option<u16>) -> Result<Self, String> {
        Ok(Self {
            address: Address::of(url, default_port)?,
            names: Names::default(),
            silence: SILENCE_LIMIT,
            secure: None,
            proxy: None,
            max_age: None,
            expires: None,
        })
    }

    /// With TLS, as the options say. Its files may appear later.
    pub(super) fn secure(setup: &mut Setup, default_port: Option<u16>) -> Result<Self, String> {
        let plain = Self::plain(setup.url, default_port)?;
        let tls = TlsClient::from_options(&mut setup.options)?;
        let name = tls.name_for(&plain.address.host)?;
        Ok(Self { secure: Some((tls, name)), ..plain })
    }

    /// Takes the longest age of a connection. Connections need one because a name may move to other
    /// addresses, and because a balancer spreads connections, not requests.
    pub(super) fn take_age(&mut self, options: &mut Options) -> Result<(), String> {
        self.max_age = options.parsed("max-connection-age", |text| match lifecycle::duration(text)? {
            age if age < LEAST_AGE => Err("give 1s at least, or leave it out".into()),
            age => Ok(age),
        })?;
        Ok(())
    }

    /// Whether TLS leads to the server
    pub(super) fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Whether the last connection is too old for another use
    pub(super) fn is_expired(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= Instant::now())
    }

    /// A new connection, or the reason why there is none.
    pub(super) async fn dial(&mut self) -> Result<Box<dyn Stream>, String> {
        let stream = match time::timeout(CONNECT_TIMEOUT, self.connect()).await {
            Ok(connected) => connected?,
            Err(_) => {
                return Err(self.names.unanswered().map_or_else(
                    || format!("no connection within {}", lifecycle::format_duration(CONNECT_TIMEOUT)),
                    |failure| failure.to_string(),
                ));
            }
        };
        // Up to a fifth less, so that the connections of many pods do not end at once.
        let age = self.max_age.map(|age| age.mul_f64(1.0 - fastrand::f64() / 5.0));
        self.expires = age.and_then(|age| Instant::now().checked_add(age));
        Ok(stream)
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        if let Some((tls, _)) = &self.secure {
            // A fault in the files shows also while the server is away.
            tls.ready().await.map_err(|failure| failure.to_string())?;
        }
        let stream = match &self.proxy {
            None => self.connect_directly().await.map_err(|failure| failure.to_string())?,
            Some(proxy) => {
                let connected = if self.is_secure() {
                    proxy.tunnel(&self.names, self.silence, &self.address).await
                } else {
                    proxy.connect(&self.names, self.silence).await
                };
                connected.map_err(|failure| format!("proxy: {failure}"))?
            }
        };
        let Some((tls, name)) = &self.secure else { return Ok(stream) };
        let secured = tls.connect(name.clone(), stream, &[]).await.map_err(|failure| failure.to_string())?;
        Ok(Box::new(secured))
    }

    async fn connect_directly(&self) -> Result<Box<dyn Stream>, Failure> {
        Ok(Box::new(endpoint::dial_with_limit(&self.address, &self.names, self.silence).await?))
    }
}

/// The text of an I/O error, also of one that holds a TLS error.
pub(super) fn error_text(error: &io::Error) -> String {
    Failure::from(error).to_string()
}
