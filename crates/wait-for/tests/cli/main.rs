//! The binary `wait-for` as a pod meets it: its exit codes, its words, its targets' servers.

#[cfg(test)]
mod amqp;
#[cfg(test)]
mod as_root;
#[cfg(test)]
mod client_certificates;
#[cfg(test)]
mod command;
#[cfg(test)]
mod config;
#[cfg(test)]
mod dns;
#[cfg(test)]
mod file;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod http;
#[cfg(test)]
mod http_bounds;
#[cfg(test)]
mod http_faults;
#[cfg(test)]
mod http_redirects;
#[cfg(test)]
mod http_request;
#[cfg(test)]
mod http_routes;
#[cfg(test)]
mod https;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod kubernetes_faults;
#[cfg(test)]
mod kubernetes_watches;
#[cfg(test)]
mod ldap;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod mongodb;
#[cfg(test)]
mod mysql;
#[cfg(test)]
mod mysql_logins;
#[cfg(test)]
mod mysql_query;
#[cfg(test)]
mod pace;
#[cfg(test)]
mod pid_one;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod postgres_query;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod srv;
#[cfg(test)]
mod stalled_reader;
#[cfg(test)]
mod support;
#[cfg(test)]
mod targets;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod text_protocols;
#[cfg(test)]
mod tls_hints;
#[cfg(test)]
mod unix;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod words;
