//! The helper under test.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use harness::Program;

/// A running sidecar
pub(crate) struct Refresher {
    pub(crate) program: Program,
    pub(crate) health: SocketAddr,
}

impl Refresher {
    /// With a configuration file of this text in this directory.
    #[track_caller]
    pub(crate) fn start(directory: &Path, config: &str) -> Self {
        let path = directory.join("secrets.yaml");
        fs::write(&path, config).unwrap();
        let mut program = Program::start(refresher().arg("--config").arg(path).arg("--health-addr=127.0.0.1:0"));
        let health = program.address("health");
        Self { program, health }
    }
}

/// The binary, in an empty environment
pub(crate) fn refresher() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-refresher"));
    command.env_clear();
    command
}
