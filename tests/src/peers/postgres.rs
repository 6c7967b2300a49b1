//! PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    contained::{Network, as_nobody, children_of},
    process::{command, output},
    server::Server,
};

/// A PostgreSQL server with a cluster of its own
pub struct Postgres {
    /// Its port, directory, log and process
    pub server: Server,
    settings: Vec<String>,
}

impl Postgres {
    /// One that does not run yet; clients on loopback are authenticated by `method`, such as `scram-sha-256`; `settings` are
    /// `name=value`.
    pub fn new(method: &str, settings: &[&str]) -> Self {
        let server = Server::new();
        let data = server.directory.join("data");
        let mut initdb = as_nobody(program("initdb"));
        initdb.args(["--no-sync", "--username=postgres", "--auth=trust"]).arg("--pgdata").arg(&data);
        output(initdb);
        let rules = format!("local all postgres trust\nhost all all 127.0.0.1/32 {method}\n");
        fs::write(data.join("pg_hba.conf"), rules).expect("a rule for clients");
        Self { server, settings: settings.iter().map(ToString::to_string).collect() }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        self.server.start(&self.program(), Network::Shared, "database system is ready to accept connections");
    }

    /// Starts it with further settings, and waits for nothing.
    pub fn launch(&mut self, settings: &[&str]) {
        let mut program = self.program();
        program.args(settings.iter().flat_map(|setting| ["-c", setting]));
        self.server.launch(&program, Network::Shared);
    }

    /// `postgres://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("postgres://127.0.0.1:{}", self.server.port())
    }

    /// Runs SQL as the superuser, and gives the rows as lines.
    pub fn sql(&self, statements: &str) -> String {
        let mut client = self.client();
        client.args(["--no-align", "--tuples-only", "--command", statements]);
        output(client)
    }

    /// `psql` as the superuser, through the socket
    pub fn client(&self) -> Command {
        let mut client = command("psql");
        client.args(["--no-psqlrc", "--quiet", "--username=postgres", "--dbname=postgres"]);
        client.arg(format!("--port={}", self.server.port())).arg("--host").arg(self.server.directory.path());
        client
    }

    /// Its child processes, one for each client among them
    pub fn children(&self) -> Vec<u32> {
        children_of(self.server.process().number())
    }

    /// The child process whose title holds `part`
    pub fn child_with_title(&self, part: &str) -> Option<u32> {
        let titled = |process: &u32| {
            let title = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&title).contains(part)
        };
        self.children().into_iter().find(titled)
    }

    fn program(&self) -> Command {
        let directory = self.server.directory.path().display();
        let mut program = as_nobody(program("postgres"));
        program.arg("-D").arg(self.server.directory.join("data"));
        for setting in [
            &format!("unix_socket_directories={directory}"),
            &format!("port={}", self.server.port()),
            "listen_addresses=127.0.0.1",
            "fsync=off",
            // Not in /dev/shm, where it would stay behind.
            "dynamic_shared_memory_type=mmap",
        ] {
            program.args(["-c", setting]);
        }
        program.args(self.settings.iter().flat_map(|setting| ["-c", setting]));
        program
    }
}

/// Debian keeps the programs of each version apart, and out of `PATH`.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.max_by_key(|version| version.file_name().to_str()?.parse::<u32>().ok());
    newest.map_or_else(|| Path::new(name).into(), |version| version.path().join("bin").join(name))
}
