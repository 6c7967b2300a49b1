//! A connection that may become TLS half-way, and who logs in on it: what the database protocols share.

use std::path::Path;

use endpoint::{Options, Tls};
use lifecycle::Secret;
use percent_encoding::percent_decode_str;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use url::Url;

use crate::{
    check::NotReady,
    connect::{Address, Stream},
    names::Names,
};

/// The options that every database takes besides those of TLS
pub(crate) const OPTIONS: [&str; 3] = ["password-file=PATH", "password-env=NAME", "tls=require"];

/// Where a database is, and how to get in
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: Address,
    pub(crate) tls: Option<Tls>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    /// The URL's path
    pub(crate) database: Option<String>,
}

impl Server {
    /// Reads address, user, password and database from the URL, and the rest from the options.
    pub(crate) fn from_url(
        url: &Url,
        default_port: u16,
        always_tls: bool,
        options: &mut Options,
    ) -> Result<Self, String> {
        let tls = options.parsed("tls", |text| match text {
            "require" => Ok(true),
            "off" => Ok(false),
            _ => Err(format!("{text:?} is neither require nor off")),
        })?;
        let tls = if always_tls || tls == Some(true) { Some(Tls::from_options(options)?) } else { None };
        Ok(Self {
            address: Address::of(url, Some(default_port))?,
            tls,
            user: Some(decode(url.username())?).filter(|user| !user.is_empty()),
            password: password(url, options)?,
            database: Some(decode(url.path().trim_start_matches('/'))?).filter(|name| !name.is_empty()),
        })
    }

    pub(crate) async fn dial(&self, names: &Names) -> Result<TcpStream, NotReady> {
        self.address.dial(names).await
    }

    /// Goes over to TLS where that is wanted.
    pub(crate) async fn secure(&self, stream: TcpStream) -> Result<Box<dyn Stream>, NotReady> {
        Ok(match &self.tls {
            Some(tls) => {
                let name = tls.sni.as_ref().unwrap_or(&self.address.host);
                let name = endpoint::server_name(name).map_err(NotReady::never)?;
                Box::new(tls.connect(name, stream, None).await?)
            }
            None => Box::new(stream),
        })
    }
}

/// For a server that wants to see the password itself, on a connection that others may read.
pub(crate) fn password_needs_tls() -> NotReady {
    NotReady::never("the server asks for the password itself, which needs TLS: give tls=require")
}

/// Ends a connection with the last word of TLS, where it is one: without it, servers log a connection that broke
/// (RFC 8446, section 6.1). What comes of it no longer matters.
pub(crate) async fn close(stream: &mut impl Stream) {
    let _ = stream.shutdown().await;
}

/// The password, from at most one of file, variable and URL.
pub(crate) fn password(url: &Url, options: &mut Options) -> Result<Option<Secret>, String> {
    let file = options.parsed("password-file", |path| Secret::from_file(Path::new(path)))?;
    let variable =
        options.parsed("password-env", |name| lifecycle::variable(name).map(|value| Secret::from(value.as_str())))?;
    let in_url = url.password().map(decode).transpose()?.map(|text| Secret::from(text.as_str()));
    let mut given = [file, variable, in_url].into_iter().flatten();
    match (given.next(), given.next()) {
        (_, Some(_)) => Err("the password is given twice".into()),
        (password, None) => Ok(password),
    }
}

pub(crate) fn decode(text: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| "the URL is not UTF-8")?;
    // Paths and the databases' messages end at it.
    if text.contains('\0') {
        return Err("the URL has a NUL (%00), which nothing here can hold".into());
    }
    Ok(text.into_owned())
}
