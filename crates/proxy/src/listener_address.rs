//! Where a listener accepts connections: an address of TCP, or a Unix socket.

use std::{fmt, path::PathBuf, str::FromStr};

use endpoint::{Options, path_without_host, socket_path};
use lifecycle::ListenAddress;
use url::Url;

/// The mode of a socket's file without the option `mode`: its owner and its group may connect. All containers of a pod have the group
/// that `fsGroup` gives to a volume.
const DEFAULT_MODE: u32 = 0o660;
const WRITE: &str = "write unix:///PATH, or unix:///PATH#mode=0666";

/// An address of TCP, or a Unix socket
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenerAddress {
    Tcp(ListenAddress),
    Unix(UnixAddress),
}

/// The file of a Unix socket, which is made with this mode
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnixAddress {
    pub(crate) path: PathBuf,
    /// A process that may write the file may connect (unix(7)).
    pub(crate) mode: u32,
}

impl ListenerAddress {
    /// Whether both are one address, however they are written.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => one.is_same(*other),
            (Self::Unix(one), Self::Unix(other)) => one.path == other.path,
            _ => false,
        }
    }

    /// The port of TCP
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) => Some(address.port),
            Self::Unix(_) => None,
        }
    }
}

/// The error about a Unix socket does not repeat the text.
impl FromStr for ListenerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("unix:") {
            return text.parse().map(Self::Unix);
        }
        text.parse().map(Self::Tcp).map_err(|error| format!("{error}; or {WRITE}"))
    }
}

impl FromStr for UnixAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
        let url = Url::parse(url).map_err(|_| WRITE.to_owned())?;
        if url.query().is_some() {
            return Err(format!("a socket has no query: {WRITE}"));
        }
        let path = path_without_host(&url).and_then(socket_path)?;
        if path.file_name().is_none() || !path.is_absolute() || url.path().ends_with('/') {
            return Err(format!("the path of a socket is absolute, and its last part is the socket's name: {WRITE}"));
        }
        let mut options = Options::from_fragment(fragment)?;
        let mode = options.parsed("mode", mode)?.unwrap_or(DEFAULT_MODE);
        options.finish("unix", &["mode"], None)?;
        Ok(Self { path, mode })
    }
}

/// The mode is left out, because it is no part of the place.
impl fmt::Display for ListenerAddress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(UnixAddress { path, .. }) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// Three octal digits, after a zero or without one
fn mode(text: &str) -> Result<u32, String> {
    let digits = if text.len() == 4 { text.strip_prefix('0').unwrap_or(text) } else { text };
    let is_mode = digits.len() == 3 && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = u32::from_str_radix(digits, 8).ok().filter(|_| is_mode);
    mode.ok_or_else(|| "write three octal digits, such as 0660".into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn addresses() {
        let parse = |text: &str| text.parse::<ListenerAddress>();
        assert_eq!(parse(":8000").unwrap(), ListenerAddress::Tcp(":8000".parse().unwrap()));
        for (text, path, mode, shown) in [
            ("unix:///run/p.sock", "/run/p.sock", 0o660, "unix:///run/p.sock"),
            ("unix:/run/p.sock", "/run/p.sock", 0o660, "unix:///run/p.sock"),
            ("unix:///run/a%20b.sock#mode=0666", "/run/a b.sock", 0o666, "unix:///run/a b.sock"),
            ("unix:///run/p.sock#mode=600", "/run/p.sock", 0o600, "unix:///run/p.sock"),
        ] {
            let address = parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address, ListenerAddress::Unix(UnixAddress { path: Path::new(path).into(), mode }), "{text}");
        }
        let is_same = |one: &str, other: &str| parse(one).unwrap().is_same(&parse(other).unwrap());
        assert!(is_same("unix:///a", "unix:/a#mode=600") && is_same(":80", "[::]:80"));
        assert!(!is_same("unix:///a", "unix:///b") && !is_same("unix:///a", ":80"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_remedy() {
        let long = format!("unix:///{}", "x".repeat(108));
        for (text, fault) in [
            ("unix:run/p.sock", "the path of a socket is absolute"),
            ("unix://run/p.sock", "the path must be absolute"),
            ("unix:///", "the path must be absolute"),
            ("unix:///run/", "its last part is the socket's name"),
            ("unix:///run/p.sock?x", "a socket has no query"),
            ("unix:///a%00", "NUL"),
            ("unix:///p#mode=rw", "option mode: write three octal digits, such as 0660"),
            ("unix:///p#mode=1777", "option mode: write three octal digits"),
            ("unix:///p#mod=0600", "did you mean mode?"),
            (&long, "shorter than 108 bytes"),
            ("/run/p.sock", "or write unix:///PATH"),
            ("8000", "or write unix:///PATH"),
        ] {
            let error = text.parse::<ListenerAddress>().unwrap_err();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }
}
