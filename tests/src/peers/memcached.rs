//! memcached.

use crate::{
    contained::{Network, as_nobody},
    server::Server,
};
use harness::Identity;

/// A memcached server
pub struct Memcached {
    /// Its port, directory, log and process
    pub server: Server,
    options: Vec<String>,
}

impl Memcached {
    /// One that does not run yet, with further options of `memcached`
    pub fn new(options: &[&str]) -> Self {
        Self { server: Server::new(), options: options.iter().map(ToString::to_string).collect() }
    }

    /// One that asks for a login by this line of `USER:PASSWORD`
    pub fn with_login(login: &str) -> Self {
        let mut memcached = Self::new(&["-Y"]);
        let file = memcached.server.directory.write("logins", &format!("{login}\n"));
        memcached.options.push(file.display().to_string());
        memcached
    }

    /// One that speaks TLS, with this identity
    pub fn with_tls(identity: &Identity) -> Self {
        let mut memcached = Self::new(&["--enable-ssl", "-o"]);
        let certificate = memcached.server.directory.write("server.pem", &identity.certificate).display().to_string();
        let key = memcached.server.directory.write("server.key", &identity.key).display().to_string();
        memcached.options.push(format!("ssl_chain_cert={certificate},ssl_key={key}"));
        memcached
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let mut program = as_nobody("memcached");
        program.args(["-l", "127.0.0.1", "-p", &self.server.port().to_string(), "-vv"]).args(&self.options);
        self.server.start(&program, Network::Shared, "server listening");
    }

    /// `memcached://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("memcached://127.0.0.1:{}", self.server.port())
    }
}
