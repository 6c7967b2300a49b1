//! `FerretDB`: a server of `MongoDB`'s protocol on `SQLite`. `MongoDB` itself is in no registry.

use crate::{
    contained::{Network, as_nobody},
    port::Port,
    process::target_directory,
    server::Server,
};
use harness::Identity;

/// The user of a server that asks for logins, and the password
pub const LOGIN: (&str, &str) = ("app", "secret");

/// A server that says to be the primary of the replica set `rs0`
pub struct FerretDb {
    /// Its port without TLS, directory, log and process
    pub server: Server,
    tls: Port,
}

impl FerretDb {
    /// One that does not run yet; this identity is that of its listener with TLS.
    pub fn new(identity: &Identity) -> Self {
        let server = Server::new();
        server.directory.write("server.pem", &identity.certificate);
        server.directory.write("server.key", &identity.key);
        Self { server, tls: Port::free() }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let here = self.server.directory.path().display();
        let mut program = as_nobody(target_directory().join("ferretdb/ferretdb"));
        program.args(["--handler=sqlite", "--telemetry=disable", "--debug-addr=-", "--test-enable-new-auth"]);
        program.args(["--repl-set-name=rs0", "--setup-database=admin"]);
        program.args([format!("--setup-username={}", LOGIN.0), format!("--setup-password={}", LOGIN.1)]);
        program.args([format!("--sqlite-url=file:{here}/"), format!("--state-dir={here}")]);
        program.arg(format!("--listen-addr=127.0.0.1:{}", self.server.port()));
        program.arg(format!("--listen-tls=127.0.0.1:{}", self.tls.number()));
        let files = [("cert", "pem"), ("key", "key")];
        program.args(files.map(|(option, ending)| format!("--listen-tls-{option}-file={here}/server.{ending}")));
        self.server.start(&program, Network::Shared, "Listening on TLS");
    }

    /// `mongodb://localhost:port`
    pub fn url(&self) -> String {
        format!("mongodb://localhost:{}", self.server.port())
    }

    /// `mongodb://localhost:port` of the listener with TLS
    pub fn url_with_tls(&self) -> String {
        format!("mongodb://localhost:{}", self.tls.number())
    }
}
