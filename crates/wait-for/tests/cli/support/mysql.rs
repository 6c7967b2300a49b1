//! Scripted servers of MySQL's protocol.

use std::{
    io::{Read, Write},
    sync::{Arc, Mutex},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::Server;

pub(crate) const NONCE: &[u8; 20] = b"abcdefghijklmnopqrst";
/// Protocol 4.1, secure connections, plugins: all that is needed
const CAPABILITIES: u32 = 0x8_8200;
const TLS: u32 = 0x800;
pub(crate) const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
pub(crate) const FULL_AUTHENTICATION: &[u8] = &[1, 4];

/// The server's side of an exchange
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    sequence: u8,
    heard: Heard,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// The packets of clients
pub(crate) type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

impl Wire {
    pub(crate) fn send(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        let _ = self.stream.write_all(&[&length[..3], &[self.sequence], body].concat());
        let _ = self.stream.flush();
        self.sequence += 1;
    }

    /// The next packet; `None` once the client is gone.
    pub(crate) fn receive(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).ok()?;
        let mut body = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        self.stream.read_exact(&mut body).ok()?;
        if header[3] != 0 {
            assert_eq!(header[3], self.sequence, "packets out of order");
        }
        self.sequence = header[3] + 1;
        self.heard.lock().unwrap().push(body.clone());
        Some(body)
    }

    /// Serves the rest: a query of `SELECT 1`, and a leave.
    fn serve(&mut self) {
        while let Some(packet) = self.receive() {
            if packet == b"\x03SELECT 1" {
                for packet in [&[1][..], b"\x03def", &[0xfe, 0, 0, 2, 0], b"\x011", &[0xfe, 0, 0, 2, 0]] {
                    self.send(packet);
                }
            }
        }
    }
}

/// A server whose script speaks after its greeting has got an answer, and what its clients sent.
pub(crate) fn mysql(plugin: &'static str, script: impl Fn(&mut Wire) + Send + Sync + 'static) -> (Server, Heard) {
    serve(plugin, None, script)
}

/// The same, over TLS
pub(crate) fn mysql_with_tls(
    config: Arc<ServerConfig>,
    script: impl Fn(&mut Wire) + Send + Sync + 'static,
) -> (Server, Heard) {
    serve("caching_sha2_password", Some(config), script)
}

fn serve(
    plugin: &'static str,
    tls: Option<Arc<ServerConfig>>,
    script: impl Fn(&mut Wire) + Send + Sync + 'static,
) -> (Server, Heard) {
    let heard = Heard::default();
    let into = heard.clone();
    let server = Server::start(move |stream, _| {
        let stream_of_tls = stream.try_clone().unwrap();
        let mut wire = Wire { stream: Box::new(stream), sequence: 0, heard: into.clone() };
        wire.send(&greeting(plugin, tls.is_some()));
        if let Some(config) = &tls {
            let Some(request) = wire.receive() else { return };
            assert_eq!(request.len(), 32, "a request for TLS");
            let connection = ServerConnection::new(config.clone()).unwrap();
            wire.stream = Box::new(StreamOwned::new(connection, stream_of_tls));
        }
        if wire.receive().is_some() {
            script(&mut wire);
            wire.serve();
        }
    });
    (server, heard)
}

/// The greeting of a server that offers TLS, as it travels
pub(crate) fn greeting_with_tls() -> Vec<u8> {
    let greeting = greeting("caching_sha2_password", true);
    [&[u8::try_from(greeting.len()).unwrap(), 0, 0, 0][..], &greeting].concat()
}

fn greeting(plugin: &str, tls: bool) -> Vec<u8> {
    let capabilities = if tls { CAPABILITIES | TLS } else { CAPABILITIES };
    let [low, high, upper_low, upper_high] = capabilities.to_le_bytes();
    let mut packet = b"\x0a8.0.36\0\x07\0\0\0".to_vec();
    packet.extend(&NONCE[..8]);
    packet.extend([0, low, high, 45, 2, 0, upper_low, upper_high, 21]);
    packet.extend([0; 10]);
    packet.extend(&NONCE[8..]);
    packet.push(0);
    packet.extend(plugin.as_bytes());
    packet.push(0);
    packet
}

pub(crate) fn error(code: u16, message: &str) -> Vec<u8> {
    [&[0xff], &code.to_le_bytes()[..], b"#HY000", message.as_bytes()].concat()
}

/// A server that has only this to say, as its first word.
pub(crate) fn refusing(code: u16, message: &'static str) -> Server {
    Server::start(move |stream, _| {
        let mut wire = Wire { stream: Box::new(stream), sequence: 0, heard: Heard::default() };
        // Before the client has spoken there is no SQL state.
        wire.send(&[&[0xff], &code.to_le_bytes()[..], message.as_bytes()].concat());
        wire.receive();
    })
}
