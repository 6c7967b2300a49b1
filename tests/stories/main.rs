//! Whole pods, on the cluster that KUBECONFIG names; `make test-cluster` starts one and runs this.
#![expect(clippy::unwrap_used, reason = "a panic here is how a test fails")]

mod admission;
mod examples;
mod exit_codes;
mod first_pod;
mod manifests;
mod names;
mod native_sidecar;
mod stopping;
mod volumes;
mod waiting_pod;
