//! One file a kind of target. A new kind is a file here and a line in `schemes.rs`.

pub(crate) mod amqp;
pub(crate) mod amqp_wire;
pub(crate) mod dns;
pub(crate) mod file;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod kafka;
mod kafka_login;
pub(crate) mod kafka_wire;
pub(crate) mod ldap;
pub(crate) mod ldap_wire;
pub(crate) mod memcached;
pub(crate) mod mysql;
mod mysql_wire;
pub(crate) mod nats;
pub(crate) mod postgres;
mod postgres_wire;
mod reader;
pub(crate) mod redis;
mod redis_verdicts;
pub(crate) mod redis_wire;
pub(crate) mod shape;
pub(crate) mod smtp;
pub(crate) mod tcp;
pub(crate) mod unix;
