//! examples/compose/proxy.yaml and proxy-tls: proxy in front of nginx, from its first answer to its end.

use std::{
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use e2e::{
    handshake::certificate_of,
    load::{Load, Protocol},
};
use harness::{Authority, http, until};

use crate::{
    container::{inspect, log, says},
    main_app::is_hardened,
    project::Project,
};

const FILE: &str = "examples/compose/proxy.yaml";

#[test]
fn the_proxy_of_the_example_answers_with_its_app_and_ends_before_it() {
    let project = Project::of(&[FILE]);
    project.compose(&["up", "--detach"]);
    let [web, proxy] = ["web", "proxy"].map(|service| project.container(service));
    says(&proxy, "listening");
    is_hardened(&proxy, "65532");
    let answer = until("nginx answers by way of the proxy", || {
        let answer = http::try_raw(([127, 0, 0, 1], 8000).into(), "GET / HTTP/1.0\r\nHost: web\r\n\r\n");
        answer.ok().filter(|answer| answer.status == 200)
    });
    assert!(answer.head.contains("via: "), "{}", answer.head);
    until("the engine says healthy", || (inspect(&proxy, "/State/Health/Status") == "healthy").then_some(()));

    project.compose(&["stop"]);
    assert_eq!(inspect(&proxy, "/State/ExitCode"), 0, "{}", log(&proxy));
    let finished = |container| inspect(container, "/State/FinishedAt").as_str().unwrap().to_owned();
    assert!(finished(&proxy) < finished(&web), "the app has ended first");
}

#[test]
fn the_proxy_with_tls_takes_a_new_certificate_under_its_clients() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    issue(&authority, directory.path());
    let project = Project::of(&["examples/compose/proxy-tls/compose.yaml"]).with("TLS_DIRECTORY", directory.path());
    project.compose(&["up", "--detach"]);
    let proxy = project.container("proxy");
    says(&proxy, "listening");
    is_hardened(&proxy, "65532");
    let address = SocketAddr::from(([127, 0, 0, 1], 8443));
    let protocol = Protocol::Http2 { authority: authority.certificate(), name: "localhost".into() };
    until("nginx answers by way of the proxy", || {
        (Load::start_with(&protocol, address, 1).end().failed == 0).then_some(())
    });

    let shown = || certificate_of(address, &authority.certificate(), "localhost").ok();
    let before = shown();
    assert!(before.is_some(), "{}", log(&proxy));
    let load = Load::start_with(&protocol, address, 100);
    issue(&authority, directory.path());
    until("new clients are shown the new certificate", || shown().filter(|shown| Some(shown) != before.as_ref()));
    let outcome = load.end();
    assert_eq!(outcome.failed, 0, "{outcome}");
    project.compose(&["stop"]);
    assert_eq!(inspect(&proxy, "/State/ExitCode"), 0, "{}", log(&proxy));
}

/// Writes a new certificate and its key, as the example names them.
fn issue(authority: &Authority, directory: &Path) {
    let identity = authority.identity("localhost");
    for (name, content) in [("cert.pem", identity.certificate), ("key.pem", identity.key)] {
        fs::write(directory.join(name), content).unwrap();
        fs::set_permissions(directory.join(name), Permissions::from_mode(0o644)).unwrap();
    }
}
