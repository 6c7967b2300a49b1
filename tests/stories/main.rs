//! Whole pods, on the cluster that KUBECONFIG names; `make test-cluster` starts one and runs this.
#![expect(clippy::unwrap_used, reason = "a panic here is how a test fails")]

mod admission;
mod app_rollout;
mod collector;
mod examples;
mod exit_codes;
mod first_pod;
mod issuer;
mod kubernetes_objects;
mod log_forwarder_ends;
mod log_forwarder_flood;
mod log_forwarder_metrics;
mod log_forwarder_second_pod;
mod manifests;
mod metrics_exporter;
mod metrics_exporter_cadvisor;
mod metrics_exporter_memory;
mod names;
mod native_sidecar;
mod openbao;
mod prometheus;
mod proxy_app;
mod proxy_config;
mod proxy_grpc;
mod proxy_memory;
mod proxy_outbound;
mod proxy_tls;
mod proxy_upstream_tls;
mod stopping;
mod token_refresher_kubernetes;
mod token_refresher_oauth;
mod token_refresher_vault;
mod volumes;
mod waiting_pod;
mod web_pod;
mod web_service;
