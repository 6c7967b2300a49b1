//! proxy in 16 MiB, with a thousand clients who keep their connections.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use e2e::cluster::{Namespace, Profile};

use crate::examples::{changed, example};

const CLIENTS: usize = 1000;
/// Requests in flight
const AT_ONCE: usize = 100;
/// For each answer
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_thousand_connections_fit_in_16_mib() {
    let namespace = Namespace::new("proxy-memory", Profile::Restricted);
    let manifest = changed(&example("proxy.yaml"), "limits: { memory: 64Mi }", "limits: { memory: 16Mi }");
    assert!(manifest.contains("readOnlyRootFilesystem: true"));
    namespace.create(&changed(&manifest, "replicas: 3", "replicas: 1"));
    let address = namespace.until("a pod is ready", || {
        let pods = namespace.pods("app=web");
        let pod = pods.first().filter(|pod| pod.is_ready())?;
        Some(SocketAddr::new(pod.ip()?, 8000))
    });
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(address)).collect();
    for _ in 0..3 {
        for client in &mut clients {
            client.ask();
        }
    }
    for many in clients.chunks_mut(AT_ONCE) {
        many.iter_mut().for_each(Client::send);
        for client in many {
            assert_eq!(client.answer(), 200);
        }
    }
    let pods = namespace.pods("app=web");
    let proxy = pods[0].container("proxy").unwrap();
    let end = proxy.previous_end();
    assert!(proxy.restarts() == 0 && end.is_none() && proxy.running_since().is_some(), "{end:?}");
}

/// A client that keeps its connection
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn ask(&mut self) {
        self.send();
        assert_eq!(self.answer(), 200);
    }

    fn send(&mut self) {
        self.0.write_all(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n").unwrap();
    }

    /// Reads a whole answer; its status
    fn answer(&mut self) -> u16 {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if body.len() >= length.unwrap_or_else(|| panic!("no length in {head}")) {
                    return head.split(' ').nth(1).unwrap().parse().unwrap();
                }
            }
            let mut room = [0; 4096];
            let length = self.0.read(&mut room).unwrap();
            assert!(length > 0, "closed without an answer: {text:?}");
            bytes.extend_from_slice(&room[..length]);
        }
    }
}
