//! Words of other programs, of other kinds and of flags, and what to write instead.

use crate::schemes::{SCHEMES, Scheme};

/// Schemes that other programs take, and what to write instead
pub(crate) const FOREIGN: [(&str, &str); 9] = [
    (
        "mongodb+srv",
        "its hosts stand in the DNS record _mongodb._tcp.NAME (SRV): write them as mongodb://HOST1,HOST2#tls=require",
    ),
    ("mariadb", "write mysql://, the protocol of both"),
    ("valkey", "write redis://, the protocol of both"),
    ("rabbitmq", "write amqp://, its protocol"),
    ("k8s", "write kubernetes://"),
    ("etcd", "write http://HOST:2379/health#json=/health=true"),
    ("elasticsearch", "write http://HOST:9200/_cluster/health#body-regex=green|yellow"),
    ("opensearch", "write http://HOST:9200/_cluster/health#body-regex=green|yellow"),
    ("s3", "write http://HOST:9000/minio/health/live for MinIO, or the server's own health page"),
];

/// Words that people take for options, what to write instead, and the option that this needs
const NO_OPTIONS: [(&str, &str, Option<&str>); 6] = [
    ("timeout", "write attempt-timeout=2s for one attempt, or the flag --timeout for all", None),
    ("any", "write the flag --any, or a group in the file of --config", None),
    ("sslmode", "write tls=require, which checks the certificate and its name", Some("tls")),
    (
        "password",
        "write password-file=PATH or password-env=NAME, because others can read arguments",
        Some("password-file"),
    ),
    ("token", "write token-file=PATH or token-env=NAME, because others can read arguments", Some("token-file")),
    ("retry-all", "write the flag --retry-all", None),
];

/// The remedy for an option that targets of this kind do not have
pub(crate) fn no_option(name: &str, scheme: &Scheme) -> Option<String> {
    let taken = scheme.all_options();
    let is_taken = |option: Option<&str>| option.is_none_or(|option| taken.contains(&option));
    if let Some((_, remedy, _)) = NO_OPTIONS.iter().find(|(word, _, option)| *word == name && is_taken(*option)) {
        return Some((*remedy).to_owned());
    }
    if ["tls", "sslmode"].contains(&name) {
        return scheme.tls.map(|remedy| format!("TLS: {remedy}"));
    }
    let has = |other: &&Scheme| other.options.iter().any(|option| option.split(['=', '[']).next() == Some(name));
    let other = SCHEMES.iter().find(has)?;
    let taken = taken.join(", ");
    Some(format!("{}:// has it, and {}:// takes {taken}", other.names[0], scheme.names[0]))
}
