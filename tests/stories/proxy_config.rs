//! proxy's configuration in a `ConfigMap` that changes while a client keeps its connection.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use e2e::cluster::{Namespace, Profile};

use crate::examples::{changed, example};

#[test]
fn a_changed_config_map_changes_the_answers_over_a_kept_connection() {
    let namespace = Namespace::new("proxy-config", Profile::Restricted);
    let manifest = example("proxy-config.yaml");
    namespace.create(&manifest);
    let ip = namespace.until_pod("web", "it is ready", |pod| pod.ip().filter(|_| pod.is_ready()));
    let mut connection = BufReader::new(TcpStream::connect(SocketAddr::new(ip, 8000)).unwrap());
    connection.get_ref().set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert!(head(&mut connection).contains("x-release: 1\r\n"));

    let (config, _) = manifest.split_once("---\n").unwrap();
    namespace.replace(&changed(config, r#"X-Release: "1""#, r#"X-Release: "2""#));
    // The kubelet writes volumes anew about once a minute, and at once when the pod itself changes.
    let annotated = namespace.kubectl(["annotate", "pod", "web", "sidekit.test/config=2"]).output().unwrap();
    assert!(annotated.status.success(), "{}", String::from_utf8_lossy(&annotated.stderr));
    namespace
        .until("the answer has the new header", || head(&mut connection).contains("x-release: 2\r\n").then_some(()));
    assert_eq!(namespace.pod("web").container("proxy").unwrap().restarts(), 0);
}

/// Asks without a body, over the connection that is there; the head of the answer, in lower case
fn head(connection: &mut BufReader<TcpStream>) -> String {
    connection.get_mut().write_all(b"HEAD / HTTP/1.1\r\nHost: web\r\n\r\n").unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(connection.read_line(&mut head).unwrap() > 0, "the connection was closed after {head:?}");
    }
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    head.to_ascii_lowercase()
}
