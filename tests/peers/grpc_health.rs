//! A gRPC health server: whole server, single services, and TLS.

use e2e::{peers::grpc_health::GrpcHealth, process::Process};

use crate::late::starts_ten_seconds_late;

#[test]
fn a_grpc_server_that_starts_ten_seconds_late_is_waited_for() {
    let mut grpc = GrpcHealth::new();
    starts_ten_seconds_late(&grpc.url(""), || grpc.start());
}

#[test]
fn a_service_that_does_not_serve_is_waited_for() {
    let mut grpc = GrpcHealth::new();
    grpc.start();
    grpc.set("shop.Orders", "NOT_SERVING");
    Process::wait_for([grpc.url("")]).ends_with(0);
    let mut helper = Process::wait_for([grpc.url("shop.Orders")]);
    helper.says("NOT_SERVING");
    assert!(helper.runs());
    grpc.set("shop.Orders", "SERVING");
    helper.ends_with(0);
}

#[test]
fn a_service_that_is_registered_late_is_waited_for() {
    let mut grpc = GrpcHealth::new();
    grpc.start();
    let mut helper = Process::wait_for([grpc.url("shop.Orders")]);
    helper.says("shop.Orders");
    assert!(helper.runs());
    grpc.set("shop.Orders", "SERVING");
    helper.ends_with(0);
}

#[test]
fn a_connection_by_tls_is_checked() {
    let mut grpc = GrpcHealth::with_tls();
    grpc.start();
    let url = grpc.url("").replace("grpc://127.0.0.1", "grpcs://localhost");
    let authority = grpc.server.directory.join("ca.pem");
    Process::wait_for([format!("{url}#ca={}", authority.display())]).ends_with(0);
    Process::wait_for([url]).ends_with(69);
}
