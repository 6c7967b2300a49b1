//! A hint where one side speaks TLS and the other does not: it names the scheme or the option to
//! write.

use crate::{
    not_ready::{NotReady, TlsDoubt},
    schemes::Scheme,
};

/// Servers that speak first are silent on a port with TLS, and a close means something else.
const SPEAKS_FIRST: [&str; 3] = ["mysql", "nats", "smtp"];

/// What to write if the other side speaks TLS, or if it does not
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsHint {
    None,
    /// The target is plain
    Secure(String),
    /// The target has TLS
    Plain(String),
}

impl TlsHint {
    /// The hint for a URL's scheme; `tls` is the value of the option.
    pub(crate) fn of(scheme: &Scheme, name: &str, tls: Option<&str>) -> Self {
        let plain_name = name.strip_suffix('s').filter(|plain| scheme.names.contains(plain));
        let secure_name = format!("{name}s");
        match (scheme.tls, plain_name) {
            (None, _) => Self::None,
            _ if name.ends_with("+unix") => Self::None,
            (_, Some(plain)) => Self::Plain(format!("write {plain}://")),
            _ if tls.is_some_and(|tls| tls != "off") => Self::Plain("leave the option tls out".into()),
            _ if SPEAKS_FIRST.contains(&name) => Self::None,
            _ if scheme.names.contains(&&*secure_name) => Self::Secure(format!("write {secure_name}://")),
            (Some(remedy), _) => Self::Secure(remedy.into()),
        }
    }

    /// The refusal of a server that accepted the connection, with the hint where it may help.
    pub(crate) fn added_to(&self, refusal: NotReady) -> NotReady {
        let hint = match (self, refusal.tls_doubt) {
            (Self::Secure(remedy), Some(TlsDoubt::Ended)) => format!("; does the server want TLS? then {remedy}"),
            (Self::Plain(remedy), Some(TlsDoubt::NotTls)) => format!("; is the port a plain one? then {remedy}"),
            _ => return refusal,
        };
        NotReady { reason: refusal.reason + &hint, ..refusal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_remedy() {
        let hint = |name, tls| match TlsHint::of(Scheme::named(name).unwrap(), name, tls) {
            TlsHint::None => String::new(),
            TlsHint::Secure(remedy) | TlsHint::Plain(remedy) => remedy,
        };
        for (name, tls, remedy) in [
            ("http", None, "write https://"),
            ("https", None, "write http://"),
            ("grpc", None, "write grpcs://"),
            ("redis", None, "write rediss://"),
            ("redis", Some("require"), "leave the option tls out"),
            ("rediss", None, "write redis://"),
            ("ldap", None, "write ldaps://"),
            ("amqp", None, "write amqps://"),
            ("kafka", None, "write kafkas://"),
            ("postgres", None, "add tls=require"),
            ("memcached", Some("off"), "add tls=require"),
            ("mysql", None, ""),
            ("mysql", Some("require"), "leave the option tls out"),
            ("smtps", None, "write smtp://"),
            ("http+unix", None, ""),
            ("tcp", None, ""),
        ] {
            assert_eq!(hint(name, tls), remedy, "{name}");
        }
    }
}
