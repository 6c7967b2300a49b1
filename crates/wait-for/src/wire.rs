//! A connection that may become TLS half-way, and the login on it, for all database protocols.

use endpoint::{Address, Options, Password, Stream, TlsClient};
use lifecycle::Secret;
use percent_encoding::percent_decode_str;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use url::Url;

use crate::{
    kinds::shape,
    network::Network,
    not_ready::{NotReady, Verdict},
};

/// The option that every database takes, in addition to those of passwords and TLS
pub(crate) const OPTIONS: [&str; 1] = ["tls=require"];

/// Where a database is, and how to log in there
#[derive(Debug)]
pub(crate) struct Server {
    address: Address,
    tls: Option<TlsClient>,
    user: Option<String>,
    password: Option<Password>,
    /// The URL's path
    database: Option<String>,
}

/// What one attempt logs in with; the password as it is now
pub(crate) struct Login<'a> {
    pub(crate) tls: Option<&'a TlsClient>,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: Option<&'a str>,
    address: &'a Address,
}

impl Server {
    /// Reads address, user, password and database from the URL, and the rest from the options.
    pub(crate) fn from_url(
        url: &Url,
        default_port: u16,
        always_tls: bool,
        options: &mut Options,
    ) -> Result<Self, String> {
        shape::no_torn_password(url)?;
        let tls = options.parsed("tls", |text| match text {
            "require" => Ok(true),
            "off" => Ok(false),
            _ => Err("this is neither require nor off".into()),
        })?;
        let tls = if always_tls || tls == Some(true) { Some(TlsClient::from_options(options)?) } else { None };
        let in_url = url.password().map(decode).transpose()?.map(|text| Secret::from(text.as_str()));
        Ok(Self {
            address: Address::of(url, Some(default_port))?,
            tls,
            user: Some(decode(url.username())?).filter(|user| !user.is_empty()),
            password: Password::from_options(options, in_url)?,
            database: Some(decode(url.path().trim_start_matches('/'))?).filter(|name| !name.is_empty()),
        })
    }

    pub(crate) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    pub(crate) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Reads the files if that is due.
    pub(crate) async fn login(&self) -> Result<Login<'_>, NotReady> {
        if let Some(tls) = &self.tls {
            tls.ready().await?;
        }
        let password = match &self.password {
            Some(password) => Some(password.current().await?),
            None => None,
        };
        Ok(Login {
            tls: self.tls.as_ref(),
            user: self.user.as_deref(),
            password,
            database: self.database.as_deref(),
            address: &self.address,
        })
    }
}

impl Login<'_> {
    pub(crate) async fn dial(&self, network: &Network) -> Result<TcpStream, NotReady> {
        Ok(network.dial(self.address).await?)
    }

    /// A server's text without the password: a server that does not understand a login may repeat it.
    pub(crate) fn without_password(&self, text: &str) -> String {
        self.password.as_ref().map_or_else(|| text.to_owned(), |password| password.blotted_out(text))
    }

    /// The verdict with a reason that does not repeat the password.
    pub(crate) fn judged(&self, verdict: Verdict) -> Verdict {
        verdict.map_err(|refusal| NotReady { reason: self.without_password(&refusal.reason), ..refusal })
    }

    /// Goes over to TLS where that is wanted.
    pub(crate) async fn secure(&self, stream: TcpStream) -> Result<Box<dyn Stream>, NotReady> {
        Ok(match self.tls {
            Some(tls) => {
                let name = tls.name_for(&self.address.host).map_err(NotReady::never)?;
                Box::new(tls.connect(name, stream, &[]).await?)
            }
            None => Box::new(stream),
        })
    }
}

/// For a server that wants to see the password itself, on a connection that others may read.
pub(crate) fn password_needs_tls() -> NotReady {
    NotReady::never("the server asks for the password itself, which needs TLS: give tls=require")
}

/// Ends a connection, with the closing alert of TLS where it has TLS: without the alert, servers log a broken connection
/// (RFC 8446, section 6.1). The verdict is known by now, so an error is ignored.
pub(crate) async fn close(stream: &mut impl Stream) {
    let _ = stream.shutdown().await;
}

/// Decodes a part of the URL.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| "the URL is not UTF-8")?;
    // Paths and the databases' messages end at it.
    if text.contains('\0') {
        return Err("the URL has a NUL (%00), which nothing here can hold".into());
    }
    Ok(text.into_owned())
}

/// Lower-case hexadecimal digits
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}
