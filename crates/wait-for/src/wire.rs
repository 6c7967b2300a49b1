//! A connection that may become TLS half-way, and the login on it, for all database protocols.

use std::path::PathBuf;

use endpoint::{Address, Options, Password, Stream, TlsClient, split_socket};
use lifecycle::Secret;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use url::Url;

use crate::{
    heard::Heard,
    network::Network,
    not_ready::{NotReady, Verdict},
};

/// The options that every database takes, in addition to those of passwords and TLS
pub(crate) const OPTIONS: [&str; 2] = ["tls=require|verify-ca", "user=NAME"];

/// The first bytes of a TLS record that is an alert (RFC 8446, section 5.1)
const TLS_ALERT: [u8; 2] = [21, 3];

/// Where a database is, and how to log in there
#[derive(Debug)]
pub(crate) struct Server {
    place: Place,
    tls: Option<TlsClient>,
    user: Option<String>,
    password: Option<Password>,
    /// The URL's path, or what stands behind the path of its socket
    database: Option<String>,
}

#[derive(Debug)]
enum Place {
    Address(Address),
    Socket(PathBuf),
}

/// What one attempt logs in with; the password as it is now
pub(crate) struct Login<'a> {
    pub(crate) tls: Option<&'a TlsClient>,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: Option<&'a str>,
    place: &'a Place,
}

impl Server {
    /// Reads address, user, password and database from the URL, and the rest from the options.
    pub(crate) fn from_url(
        url: &Url,
        default_port: u16,
        always_tls: bool,
        options: &mut Options,
    ) -> Result<Self, String> {
        no_torn_password(url)?;
        let (place, path) = if url.scheme().ends_with("+unix") {
            let (socket, path) = split_socket(url)?;
            (Place::Socket(socket), path)
        } else {
            (Place::Address(Address::of(url, Some(default_port))?), url.path())
        };
        let in_url = url.password().map(decode).transpose()?.map(|text| Secret::from(text.as_str()));
        Ok(Self {
            tls: tls(options, always_tls, &place)?,
            place,
            user: user(url, options)?,
            password: Password::from_options(options, in_url)?,
            database: Some(decode(path.strip_prefix('/').unwrap_or(path))?).filter(|name| !name.is_empty()),
        })
    }

    /// Refuses a half of a login, for kinds in which the user alone would say nothing.
    pub(crate) fn check_login(&self, url: &Url) -> Result<(), String> {
        match (self.has_user(), self.has_password()) {
            (false, true) => Err(format!("a login needs a user before the @, such as {}://USER@HOST", url.scheme())),
            (true, false) => Err("a login needs a password: add password-file=PATH, or leave out the user".into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn has_user(&self) -> bool {
        self.user.is_some()
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
            place: &self.place,
        })
    }
}

fn tls(options: &mut Options, always: bool, place: &Place) -> Result<Option<TlsClient>, String> {
    let wanted = options.parsed("tls", |text| match text {
        "require" | "verify-ca" | "off" => Ok(text.to_owned()),
        _ => Err("this is neither require, verify-ca nor off".into()),
    })?;
    match wanted.as_deref() {
        Some("require" | "verify-ca") if matches!(place, Place::Socket(_)) => {
            Err("option tls: no other host can listen to a UNIX socket, so leave it out".into())
        }
        Some("verify-ca") => TlsClient::for_any_name(options).map(Some),
        Some("require") => TlsClient::from_options(options).map(Some),
        Some("off") if always => Err("option tls: this scheme is TLS, so leave it out".into()),
        _ if always => TlsClient::from_options(options).map(Some),
        _ => Ok(None),
    }
}

/// The user of the URL or of the option; a URL of a socket has no place for one.
fn user(url: &Url, options: &mut Options) -> Result<Option<String>, String> {
    let in_url = Some(decode(url.username())?).filter(|user| !user.is_empty());
    match (in_url, options.text("user")?) {
        (Some(_), Some(_)) => Err("the user is given twice".into()),
        (in_url, option) => Ok(in_url.or(option).filter(|user| !user.is_empty())),
    }
}

impl Login<'_> {
    /// The same for a server that is not trusted: without user and password
    pub(crate) fn without_secrets(&self) -> Self {
        Self { user: None, password: None, ..*self }
    }

    pub(crate) async fn dial(&self, network: &Network) -> Result<Box<dyn Stream>, NotReady> {
        Ok(match self.place {
            Place::Address(address) => Box::new(Heard::new(network.dial(address).await?)),
            Place::Socket(path) => Box::new(Heard::new(network.dial_unix(path).await?)),
        })
    }

    /// Whether no other host can listen: a password may be sent as it is.
    pub(crate) fn is_private(&self) -> bool {
        self.tls.is_some() || matches!(self.place, Place::Socket(_))
    }

    /// A server's text without the password: a server that does not understand a login may repeat
    /// it.
    pub(crate) fn without_password(&self, text: &str) -> String {
        self.password.as_ref().map_or_else(|| text.to_owned(), |password| password.blotted_out(text))
    }

    /// The verdict with words that do not repeat the password.
    pub(crate) fn judged(&self, verdict: Verdict) -> Verdict {
        let clean = |refusal: NotReady| NotReady { reason: self.without_password(&refusal.reason), ..refusal };
        verdict.map(|proof| self.without_password(&proof)).map_err(clean)
    }

    /// Goes over to TLS where that is wanted.
    pub(crate) async fn secure(&self, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, NotReady> {
        Ok(match self.tls_and_host() {
            Some((tls, host)) => {
                let name = tls.name_for(host).map_err(NotReady::never)?;
                tls.secure(name, stream, &[]).await?
            }
            None => stream,
        })
    }

    /// The same for a server that has agreed to go over to TLS, so that its port is no plain one.
    pub(crate) async fn secure_agreed(&self, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, NotReady> {
        self.secure(stream).await.map_err(NotReady::without_tls_doubt)
    }

    /// The same, with the judgement of the server's certificate beside the stream: no secret may go
    /// to a server that is refused, but words of leave may.
    pub(crate) async fn secure_unjudged(
        &self,
        stream: Box<dyn Stream>,
    ) -> Result<(Box<dyn Stream>, Result<(), NotReady>), NotReady> {
        let Some((tls, host)) = self.tls_and_host() else { return Ok((stream, Ok(()))) };
        let name = tls.name_for(host).map_err(NotReady::never)?;
        let secured = tls.secure_unjudged(name, stream).await;
        let (stream, judgement) = secured.map_err(|failure| NotReady::from(failure).without_tls_doubt())?;
        Ok((stream, judgement.map_err(NotReady::from)))
    }

    fn tls_and_host(&self) -> Option<(&TlsClient, &str)> {
        match self.place {
            Place::Address(address) => self.tls.map(|tls| (tls, address.host.as_str())),
            Place::Socket(_) => None,
        }
    }
}

/// Refuses a password with a `/` in it, because a URL ends the login there: the user would be asked
/// for as a host.
pub(crate) fn no_torn_password(url: &Url) -> Result<(), String> {
    if url.path().contains('@') {
        Err("in a password / is written as %2F, and in a path @ as %40".into())
    } else {
        Ok(())
    }
}

/// For a server that wants to see the password itself, on a connection that others may read.
pub(crate) fn password_needs_tls() -> NotReady {
    NotReady::never("the server asks for the password itself, which needs TLS: give tls=require")
}

/// Reads the first bytes of an answer. `remedy` is for a server that speaks TLS: it answers with an
/// alert.
pub(crate) async fn read_head<const N: usize>(
    stream: &mut (impl AsyncRead + Unpin),
    remedy: &str,
) -> Result<[u8; N], NotReady> {
    let mut head = [0; N];
    if stream.read(&mut head[..1]).await? == 0 {
        return Err(NotReady::unanswered());
    }
    stream.read_exact(&mut head[1..]).await?;
    if head.starts_with(&TLS_ALERT) { Err(speaks_tls(remedy)) } else { Ok(head) }
}

pub(crate) fn speaks_tls(remedy: &str) -> NotReady {
    NotReady::never(format!("the server speaks TLS: {remedy}"))
}

/// Ends a connection, with the closing alert of TLS where it has TLS: without the alert, servers
/// log a broken connection (RFC 8446, section 6.1). The verdict is known by now, so an error is
/// ignored.
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
