//! The host and the port of a URL.

use std::net::IpAddr;

use url::Url;

use crate::one_line::one_line;

/// A host and a port to dial
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address without brackets
    pub host: String,
    /// From 1 to 65535
    pub port: u16,
}

impl Address {
    /// Takes both from a URL. `default_port` is the port of the protocol; without one, the port of HTTP and HTTPS is known.
    pub fn of(url: &Url, default_port: Option<u16>) -> Result<Self, String> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        // A password with a slash in it ends the host too early, and then a part of the login stands there.
        let may_be_a_login = url[url::Position::BeforePath..].contains('@');
        check_name(&host)
            .map_err(|error| if may_be_a_login { "the host can't be a host name".into() } else { error })?;
        match url.port().or(default_port).or_else(|| url.port_or_known_default()) {
            Some(0) => Err("port 0 can't be dialed: give a port from 1 to 65535".into()),
            Some(port) => Ok(Self { host, port }),
            None => {
                let host = match host {
                    _ if may_be_a_login => "HOST".to_owned(),
                    host if host.contains(':') => format!("[{host}]"),
                    host => host,
                };
                Err(format!("the port is missing: write {}://{host}:PORT", url.scheme()))
            }
        }
    }

    /// `host:port`, as requests name it
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Refuses a host that DNS can't hold (RFC 1035, section 2.3.4). A lookup would only report it as an unknown name.
pub fn check_name(host: &str) -> Result<(), String> {
    const NAME_LIMIT: usize = 253;
    const LABEL_LIMIT: usize = 63;
    let name = host.strip_suffix('.').unwrap_or(host);
    // The URL's parser encodes such a name so, where its scheme is not HTTP's.
    if !host.is_ascii() || host.contains('%') {
        return Err("a host's name has ASCII letters only: write its xn-- form".into());
    }
    let possible = name.len() <= NAME_LIMIT && name.split('.').all(|label| (1..=LABEL_LIMIT).contains(&label.len()));
    if possible || host.parse::<IpAddr>().is_ok() {
        Ok(())
    } else {
        Err(format!("{:?} can't be a host name", one_line(host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let of = |url: &str, default| Address::of(&Url::parse(url).unwrap(), default);
        assert_eq!(of("tcp://[::1]:80", None).unwrap(), Address { host: "::1".into(), port: 80 });
        assert_eq!(of("https://api", None).unwrap().port, 443);
        assert_eq!(of("mysql://db", Some(3306)).unwrap().port, 3306);
        assert_eq!(of("mysql://db:1", Some(3306)).unwrap().port, 1);
        assert_eq!(of("tcp://db", None).unwrap_err(), "the port is missing: write tcp://db:PORT");
        assert_eq!(of("tcp://[::1]", None).unwrap_err(), "the port is missing: write tcp://[::1]:PORT");
        assert!(of("tcp://db:0", None).unwrap_err().starts_with("port 0"));
        assert_eq!(of("tcp:///x", None).unwrap_err(), "the host is missing");
    }

    #[test]
    fn a_login_that_is_torn_apart_is_not_printed() {
        for url in ["tcp://hunter2/x@db:1", "tcp://hun..ter2/x@db:1"] {
            let error = Address::of(&Url::parse(url).unwrap(), None).unwrap_err();
            assert!(!error.contains("hun"), "{error}");
        }
    }

    #[test]
    fn an_authority_has_brackets_where_they_are_due() {
        let authority = |host: &str| Address { host: host.into(), port: 80 }.authority();
        assert_eq!((authority("::1"), authority("db")), ("[::1]:80".into(), "db:80".into()));
    }
}
