//! The kinds of target that there are. A new kind is a line here and a file in `kinds/`.

use std::sync::Arc;

use url::Url;

use crate::{
    check::Check,
    kinds::{dns, file, grpc, http, mysql, postgres, redis, tcp, unix},
    options::Options,
    tls, wire,
};

/// One kind of target
pub(crate) struct Scheme {
    /// What stands before `://`
    pub(crate) names: &'static [&'static str],
    /// An example URL
    pub(crate) example: &'static str,
    /// When such a target is ready
    pub(crate) ready: &'static str,
    /// The options that its fragment takes besides those of every kind
    pub(crate) options: &'static [&'static [&'static str]],
    pub(crate) parse: fn(&Url, &mut Options) -> Result<Arc<dyn Check>, String>,
}

/// The options of every kind
pub(crate) const COMMON_OPTIONS: [&str; 4] = ["attempt-timeout", "interval", "not", "stable"];

const HTTP_OPTIONS: [&str; 11] = [
    "body",
    "body-regex",
    "header",
    "http2",
    "json",
    "method",
    "password-env",
    "password-file",
    "redirects",
    "resolve",
    "status",
];

/// All kinds
pub(crate) const SCHEMES: [Scheme; 9] = [
    Scheme {
        names: &["tcp"],
        example: "tcp://db:5432",
        ready: "connected, and still open 100 ms later",
        options: &[&["hold"]],
        parse: tcp::parse,
    },
    Scheme {
        names: &["unix"],
        example: "unix:///run/app.sock",
        ready: "the socket accepts",
        options: &[],
        parse: unix::parse,
    },
    Scheme {
        names: &["http", "https", "http+unix"],
        example: "https://api:8443/healthz",
        ready: "answers 200 to 399, as the kubelet's httpGet",
        options: &[&HTTP_OPTIONS, &tls::OPTIONS],
        parse: http::parse,
    },
    Scheme {
        names: &["dns"],
        example: "dns://db-headless",
        ready: "the name has an address",
        options: &[&["min", "type"]],
        parse: dns::parse,
    },
    Scheme {
        names: &["file"],
        example: "file:///work/ready",
        ready: "the file is there",
        options: &[&["min-size", "mode", "settled"]],
        parse: file::parse,
    },
    Scheme {
        names: &["grpc", "grpcs"],
        example: "grpc://api:9000/my.Service",
        ready: "gRPC health Check answers SERVING",
        options: &[&tls::OPTIONS],
        parse: grpc::parse,
    },
    Scheme {
        names: &["mysql"],
        example: "mysql://db:3306",
        ready: "MySQL or MariaDB takes logins",
        options: &[&wire::OPTIONS],
        parse: mysql::parse,
    },
    Scheme {
        names: &["postgres", "postgresql"],
        example: "postgres://db:5432",
        ready: "PostgreSQL takes logins",
        options: &[&wire::OPTIONS],
        parse: postgres::parse,
    },
    Scheme {
        names: &["redis", "rediss"],
        example: "redis://cache:6379",
        ready: "PING answers PONG",
        options: &[&wire::OPTIONS],
        parse: redis::parse,
    },
];

impl Scheme {
    /// The kind of a URL's scheme.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SCHEMES.iter().find(|scheme| scheme.names.contains(&name))
    }

    /// All options of this kind, those of every kind included
    pub(crate) fn all_options(&self) -> Vec<&'static str> {
        self.options.iter().copied().flatten().copied().chain(COMMON_OPTIONS).collect()
    }
}
