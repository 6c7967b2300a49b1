//! Apps and clients by Python's libraries: the scripts in `apps` and `clients`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Command,
};

use crate::{
    contained::Network,
    peers::certificates::Certificates,
    process::{command, target_directory},
    server::Server,
};

/// Python with the libraries that `tests/requirements.txt` names
fn python() -> Command {
    let mut program = command(target_directory().join("peers-venv/bin/python"));
    // No compiled file beside the source
    program.arg("-B");
    program
}

/// A script of this folder
pub fn script(name: &str) -> Command {
    let mut program = python();
    program.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/peers").join(name));
    program
}

/// A module of a library that runs
pub fn module(name: &str) -> Command {
    let mut program = python();
    program.args(["-m", name]);
    program
}

/// An app that prints `serving` once it listens
pub struct PythonApp {
    /// Its port, directory, log and process
    pub server: Server,
    script: &'static str,
    identity: Vec<String>,
}

impl PythonApp {
    /// Starts one without TLS, such as `grpc_app.py`.
    pub fn start(script: &'static str) -> Self {
        Self::with(script, Vec::new())
    }

    /// Starts one that speaks TLS as `server`.
    pub fn start_with_tls(script: &'static str, certificates: &Certificates) -> Self {
        Self::with(script, vec![certificates.path("server.key"), certificates.path("server.pem")])
    }

    fn with(script: &'static str, identity: Vec<String>) -> Self {
        let mut app = Self { server: Server::new(), script, identity };
        app.start_again();
        app
    }

    /// Starts it on the same port, after it has ended; one that still runs is killed.
    pub fn start_again(&mut self) {
        let mut program = script(&format!("apps/{}", self.script));
        program.arg(self.server.port().to_string()).args(&self.identity);
        // As root, because other users may have no access to the checkout.
        self.server.start(&program, Network::Shared, "serving");
    }

    /// Where it listens
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.server.port()).into()
    }
}
