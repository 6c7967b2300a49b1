//! The helpers before real servers, and beside real tools; `make test-peers` installs them and runs this.
#![expect(clippy::unwrap_used, reason = "a panic here is how a test fails")]

mod completions;
mod default_acls;
mod exchanges;
mod grpc_health;
mod ignored_changes;
mod late;
mod log_forwarder_logrotate;
mod log_forwarder_loki;
mod log_forwarder_nginx;
mod log_forwarder_opensearch;
mod log_forwarder_otel;
mod log_forwarder_syslog;
mod manifests;
mod mariadb;
mod mariadb_logins;
mod nginx;
mod nobody;
mod postgres;
mod postgres_logins;
mod proxy_beside;
mod proxy_requests;
mod proxy_slow;
mod proxy_with_apps;
mod redis;
mod system_calls;
mod token_refresher_formats;
mod token_refresher_oauth;
mod token_refresher_openbao;
