//! The real servers, one file each.
//!
//! Each starts on a port that stays its own from `new` on, so that a story can name it before it listens.

pub mod app;
pub mod certificates;
pub mod client;
pub mod ferretdb;
pub mod front;
pub mod grpc_health;
pub mod h2load;
pub mod kafka;
pub mod loki;
pub mod mariadb;
pub mod memcached;
pub mod metrics_app;
pub mod mysql;
pub mod nats;
pub mod nginx;
pub mod openbao;
pub mod openldap;
pub mod opensearch;
pub mod otel_collector;
pub mod postfix;
pub mod postgres;
pub mod prometheus;
pub mod python;
pub mod rabbitmq;
pub mod redis;
pub mod rsyslog;
pub mod smtp;
pub mod syslog_ng;
pub mod way;
