//! The gRPC health server of grpcio-health-checking.

use crate::{
    contained::Network,
    process::{command, target_directory},
    server::Server,
};
use harness::Authority;

/// A gRPC server with nothing but the health service
pub struct GrpcHealth {
    /// Its port, directory, log and process
    pub server: Server,
    identity: Vec<String>,
}

impl GrpcHealth {
    /// One without TLS that does not run yet
    pub fn new() -> Self {
        Self { server: Server::new(), identity: Vec::new() }
    }

    /// One for `grpcs://localhost`, with its authority's certificate in `ca.pem`
    pub fn with_tls() -> Self {
        let (server, authority) = (Server::new(), Authority::new());
        let identity = authority.identity("localhost");
        server.directory.write("ca.pem", &authority.certificate());
        let files = [("server.key", identity.key), ("server.pem", identity.certificate)];
        let paths = files.map(|(name, content)| server.directory.write(name, &content).display().to_string());
        Self { server, identity: paths.to_vec() }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let mut program = command(target_directory().join("peers-venv/bin/python"));
        program.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/health_server.py"));
        program.arg(self.server.port().to_string()).args(&self.identity);
        // As root, because other users may have no access to the checkout.
        self.server.start(&program, Network::Shared, "serving");
    }

    /// Sets the status of a service, such as `NOT_SERVING`; `-` is the whole server.
    pub fn set(&mut self, service: &str, status: &str) {
        let mark = self.server.log().len();
        let change = format!("{service} {status}");
        self.server.tell(&change);
        self.server.says(mark, &change.replace(' ', " is "));
    }

    /// `grpc://127.0.0.1:port/` and the service
    pub fn url(&self, service: &str) -> String {
        format!("grpc://127.0.0.1:{}/{service}", self.server.port())
    }
}

impl Default for GrpcHealth {
    fn default() -> Self {
        Self::new()
    }
}
