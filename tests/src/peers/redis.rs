//! Redis.

use std::{path::PathBuf, process::Command};

use crate::{
    contained::{Network, as_nobody},
    process::{command, output},
    server::Server,
};
use harness::Identity;

/// A Redis server that keeps nothing by default
pub struct Redis {
    /// Its port, directory, log and process
    pub server: Server,
    options: Vec<String>,
    /// Of a Sentinel
    configuration: Option<PathBuf>,
}

impl Redis {
    /// One that does not run yet, with further options of `redis-server`
    pub fn new(options: &[&str]) -> Self {
        Self { server: Server::new(), options: options.iter().map(ToString::to_string).collect(), configuration: None }
    }

    /// One that takes TLS instead, with this identity
    pub fn with_tls(identity: &Identity) -> Self {
        let mut redis = Self::new(&["--port", "0", "--tls-auth-clients", "no"]);
        let certificate = redis.server.directory.write("server.pem", &identity.certificate).display().to_string();
        let key = redis.server.directory.write("server.key", &identity.key).display().to_string();
        let port = redis.server.port().to_string();
        let tls = [("--tls-port", port), ("--tls-cert-file", certificate), ("--tls-key-file", key)];
        redis.options.extend(tls.into_iter().flat_map(|(option, value)| [option.into(), value]));
        redis
    }

    /// A Sentinel that knows no primary
    pub fn sentinel() -> Self {
        let mut redis = Self::new(&["--sentinel"]);
        // It keeps its state in its configuration, as nobody.
        let file = redis.server.directory.write("sentinel.conf", "");
        std::os::unix::fs::chown(&file, Some(65534), Some(65534)).expect("a file for nobody");
        redis.configuration = Some(file);
        redis
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let ready = if self.configuration.is_some() { "Sentinel ID is" } else { "Ready to accept connections" };
        self.server.start(&self.program(), Network::Shared, ready);
    }

    /// Starts it with further options, and waits for nothing.
    pub fn launch(&mut self, options: &[&str]) {
        let mut program = self.program();
        program.args(options);
        self.server.launch(&program, Network::Shared);
    }

    /// `redis://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.server.port())
    }

    /// Runs a command through the socket, and gives the answer.
    pub fn command(&self, words: &str) -> String {
        let mut client = command("redis-cli");
        client.arg("-s").arg(self.socket()).args(words.split(' '));
        output(client)
    }

    fn program(&self) -> Command {
        let mut program = as_nobody("redis-server");
        program.args(&self.configuration).args(["--bind", "127.0.0.1"]);
        if self.configuration.is_none() {
            program.args(["--save", "", "--enable-debug-command", "local"]);
        }
        program.arg("--dir").arg(self.server.directory.path()).args(["--port", &self.server.port().to_string()]);
        program.args(["--unixsocket", &self.socket()]).args(&self.options);
        program
    }

    fn socket(&self) -> String {
        self.server.directory.join("socket").display().to_string()
    }
}
