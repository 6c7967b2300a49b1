//! NATS.

use crate::{
    contained::{Network, as_nobody},
    server::Server,
};
use harness::Identity;

/// A NATS server
pub struct Nats {
    /// Its port, directory, log and process
    pub server: Server,
    options: Vec<String>,
}

impl Nats {
    /// One that does not run yet, with further options of `nats-server`
    pub fn new(options: &[&str]) -> Self {
        Self { server: Server::new(), options: options.iter().map(ToString::to_string).collect() }
    }

    /// One that takes nothing but TLS, with this identity
    pub fn with_tls(identity: &Identity) -> Self {
        let mut nats = Self::new(&["--tls"]);
        let certificate = nats.server.directory.write("server.pem", &identity.certificate).display().to_string();
        let key = nats.server.directory.write("server.key", &identity.key).display().to_string();
        nats.options.extend([format!("--tlscert={certificate}"), format!("--tlskey={key}")]);
        nats
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let mut program = as_nobody("nats-server");
        program.args(["--addr", "127.0.0.1", "--port", &self.server.port().to_string(), "--debug"]).args(&self.options);
        self.server.start(&program, Network::Shared, "Server is ready");
    }

    /// `nats://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.server.port())
    }
}
