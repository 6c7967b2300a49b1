//! A mail server by Python's aiosmtpd, which takes logins.

use crate::{contained::Network, peers::python::script, server::Server};
use harness::Identity;

/// The user that may log in, and the password
pub const LOGIN: (&str, &str) = ("app", "secret");

/// A mail server that takes logins over TLS
pub struct Smtp {
    /// Its port, directory, log and process
    pub server: Server,
    mode: &'static str,
    identity: [String; 2],
}

impl Smtp {
    /// One that offers STARTTLS with this identity
    pub fn new(identity: &Identity) -> Self {
        Self::speaking("starttls", identity)
    }

    /// One that speaks TLS from the first byte
    pub fn with_tls(identity: &Identity) -> Self {
        Self::speaking("tls", identity)
    }

    fn speaking(mode: &'static str, identity: &Identity) -> Self {
        let server = Server::new();
        let files = [("server.pem", &identity.certificate), ("server.key", &identity.key)];
        let identity = files.map(|(name, content)| server.directory.write(name, content).display().to_string());
        Self { server, mode, identity }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let mut program = script("smtp_server.py");
        program.args([&self.server.port().to_string(), self.mode]).args(&self.identity).args([LOGIN.0, LOGIN.1]);
        // As root, because other users may have no access to the checkout.
        self.server.start(&program, Network::Shared, "serving");
    }

    /// `smtp://localhost:port`, or `smtps`
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", if self.mode == "tls" { "smtps" } else { "smtp" }, self.server.port())
    }
}
