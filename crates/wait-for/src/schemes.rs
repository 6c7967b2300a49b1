//! The kinds of target that there are. A new kind is a line here and a file in `kinds/`.

use std::sync::Arc;

use endpoint::{LOGIN_OPTIONS, Options, PASSWORD_OPTIONS, TLS_OPTIONS};
use url::Url;

use crate::{
    check::Check,
    kinds::{
        amqp, dns, file, grpc, http, kafka, kubernetes, ldap, memcached, mongodb, mysql, nats, postgres, redis, smtp,
        tcp, unix,
    },
    wire,
};

/// One kind of target
pub(crate) struct Scheme {
    /// The words before `://`
    pub(crate) names: &'static [&'static str],
    /// Example URLs, and when such a target is ready
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// The options of this kind alone, each with an example of its value
    pub(crate) options: &'static [&'static str],
    /// The options of its login
    pub(crate) login: &'static [&'static str],
    /// How to ask for TLS, where there is any; [`TLS_OPTIONS`] need it
    pub(crate) tls: Option<&'static str>,
    /// A URL may name several hosts, of which one is enough
    pub(crate) several_hosts: bool,
    pub(crate) parse: Parse,
}

/// Makes a check of a URL and its options. An error is text that follows the target's label.
type Parse = fn(&Url, &mut Options) -> Result<Arc<dyn Check>, String>;

/// The options of every kind
pub(crate) const COMMON_OPTIONS: [&str; 4] = ["stable=3", "interval=1s", "attempt-timeout=2s", "not"];

/// All kinds
pub(crate) const SCHEMES: [Scheme; 17] = [
    Scheme {
        names: &["tcp"],
        examples: &[("tcp://db:5432", "connected, and still open 100 ms later")],
        options: &["hold=100ms"],
        login: &[],
        tls: None,
        several_hosts: false,
        parse: tcp::parse,
    },
    Scheme {
        names: &["unix"],
        examples: &[("unix:///run/app.sock", "the socket accepts")],
        options: &[],
        login: &[],
        tls: None,
        several_hosts: false,
        parse: unix::parse,
    },
    Scheme {
        names: &["http", "https", "http+unix"],
        examples: &[
            ("http://api:8080/healthz", "answers 200 to 399, as the kubelet's httpGet"),
            ("https://api:8443/healthz", "the same, over TLS"),
            ("http+unix:///run/app.sock:/healthz", "the same, on a UNIX socket"),
        ],
        options: &[
            "status=200-299,404",
            "method=HEAD",
            "request-body=TEXT",
            "request-body-file=PATH",
            "request-body-env=NAME",
            "body=TEXT",
            "body-regex=REGEX",
            "json=/pointer[=VALUE]",
            "redirects=5",
            "http2",
            "resolve=IP",
        ],
        login: &LOGIN_OPTIONS,
        tls: Some("write https://"),
        several_hosts: false,
        parse: http::parse,
    },
    Scheme {
        names: &["dns"],
        examples: &[("dns://db-headless", "the name has an address")],
        options: &["min=3", "type=A|AAAA|SRV"],
        login: &[],
        tls: None,
        several_hosts: false,
        parse: dns::parse,
    },
    Scheme {
        names: &["file"],
        examples: &[("file:///data/ready", "the file is there")],
        options: &["min-size=1KiB", "settled=2s", "mode=0640"],
        login: &[],
        tls: None,
        several_hosts: false,
        parse: file::parse,
    },
    Scheme {
        names: &["grpc", "grpcs", "grpc+unix"],
        examples: &[
            ("grpc://api:9000/my.Service", "gRPC health Check answers SERVING"),
            ("grpcs://api:9443", "the same, over TLS, for the server as a whole"),
            ("grpc+unix:///run/app.sock:/my.Service", "the same, on a UNIX socket"),
        ],
        options: &[],
        login: &LOGIN_OPTIONS,
        tls: Some("write grpcs://"),
        several_hosts: false,
        parse: grpc::parse,
    },
    Scheme {
        names: &["kubernetes"],
        examples: &[
            ("kubernetes://jobs/migrate", "the Job is complete"),
            ("kubernetes://pods?selector=app=web", "a pod of them is ready"),
            ("kubernetes://services/db", "the Service has a ready endpoint"),
            ("kubernetes://deployments/web", "the rollout is done; also of statefulsets and daemonsets"),
        ],
        options: &kubernetes::OPTIONS,
        login: &kubernetes::LOGIN,
        tls: Some("write server=https://…"),
        several_hosts: false,
        parse: kubernetes::parse,
    },
    Scheme {
        names: &["mysql", "mysql+unix"],
        examples: &[
            ("mysql://db:3306", "MySQL or MariaDB takes logins"),
            ("mysql+unix:///run/mysqld/mysqld.sock:/app", "the same, on a UNIX socket"),
        ],
        options: &mysql::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: false,
        parse: mysql::parse,
    },
    Scheme {
        names: &["postgres", "postgresql", "postgres+unix"],
        examples: &[
            ("postgres://user@db:5432/app", "PostgreSQL takes logins; with a password: is logged in to"),
            ("postgres+unix:///run/postgresql/.s.PGSQL.5432:/app", "the same, on a UNIX socket"),
        ],
        options: &postgres::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: true,
        parse: postgres::parse,
    },
    Scheme {
        names: &["redis", "rediss", "redis+unix"],
        examples: &[
            ("redis://cache:6379", "PING answers PONG"),
            ("rediss://cache:6379", "the same, over TLS"),
            ("redis+unix:///run/redis.sock", "the same, on a UNIX socket"),
        ],
        options: &redis::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: false,
        parse: redis::parse,
    },
    Scheme {
        names: &["memcached"],
        examples: &[("memcached://cache:11211", "answers its version")],
        options: &wire::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: false,
        parse: memcached::parse,
    },
    Scheme {
        names: &["nats"],
        examples: &[("nats://queue:4222", "takes clients, and PING answers PONG")],
        options: &wire::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: false,
        parse: nats::parse,
    },
    Scheme {
        names: &["smtp", "smtps"],
        examples: &[
            ("smtp://mail:25", "greets, and takes EHLO"),
            ("smtps://mail:465", "the same, over TLS from the first byte"),
        ],
        options: &wire::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: false,
        parse: smtp::parse,
    },
    Scheme {
        names: &["ldap", "ldaps"],
        examples: &[
            ("ldap://directory:389", "a bind is answered"),
            ("ldaps://directory:636", "the same, over TLS from the first byte"),
        ],
        options: &wire::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: false,
        parse: ldap::parse,
    },
    Scheme {
        names: &["kafka", "kafkas"],
        examples: &[
            ("kafka://k1,k2:9092", "one of the brokers answers with the cluster's metadata"),
            ("kafkas://kafka:9093", "the same, over TLS"),
        ],
        options: &kafka::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: true,
        parse: kafka::parse,
    },
    Scheme {
        names: &["mongodb"],
        examples: &[(
            "mongodb://m1,m2:27017",
            "one of the servers takes writes: a primary, a router or a single server",
        )],
        options: &mongodb::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: true,
        parse: mongodb::parse,
    },
    Scheme {
        names: &["amqp", "amqps"],
        examples: &[
            ("amqp://queue:5672/shop", "AMQP 0-9-1 (RabbitMQ): logged in, and the virtual host opens"),
            ("amqps://queue:5671", "the same, over TLS"),
        ],
        options: &wire::OPTIONS,
        login: &PASSWORD_OPTIONS,
        tls: Some("add tls=require"),
        several_hosts: true,
        parse: amqp::parse,
    },
];

impl Scheme {
    /// The kind of a URL's scheme.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SCHEMES.iter().find(|scheme| scheme.names.contains(&name))
    }

    /// The names of all options of this kind, those of every kind included
    pub(crate) fn all_options(&self) -> Vec<&'static str> {
        let tls = if self.tls.is_some() { &TLS_OPTIONS[..] } else { &[] };
        let all = self.options.iter().chain(self.login).chain(tls).chain(&COMMON_OPTIONS);
        all.map(|option| option.split_once('=').map_or(*option, |(name, _)| name)).collect()
    }

    /// An option that stands in the query of a URL of HTTP by its name, and is most likely meant
    /// for wait-for.
    pub(crate) fn option_in_query(&self, url: &Url) -> Option<&'static str> {
        // Names that servers have for their own parameters
        const USUAL: [&str; 5] = ["key", "user", "not", "method", "body"];
        let names = || self.all_options().into_iter().chain(["timeout"]).filter(|name| !USUAL.contains(name));
        let has_http = self.names.contains(&"http");
        let mut parameters = url.query_pairs().filter(|_| has_http);
        parameters.find_map(|(parameter, _)| names().find(|name| *name == parameter))
    }
}
