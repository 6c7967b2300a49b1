//! MySQL, as it was unpacked: with its own libraries, because they are newer than those of this system.

use std::{net::Ipv4Addr, process::Command};

use crate::{
    contained::{Network, as_nobody},
    process::{output, target_directory},
    server::Server,
};

/// A MySQL server with a database of its own, in a network of its own, because MySQL exempts loopback from its count of
/// failed connections
pub struct Mysql {
    /// Its port, directory, log and process
    pub server: Server,
    options: Vec<String>,
}

/// The server's address, whose name in its hosts file is `client.test`
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

impl Mysql {
    /// One that does not run yet, with further options of `mysqld`
    pub fn new(options: &[&str]) -> Self {
        let mysql = Self { server: Server::new(), options: options.iter().map(ToString::to_string).collect() };
        let mut initialize = mysql.daemon();
        initialize.arg("--initialize-insecure");
        output(initialize);
        mysql
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let mut program = self.daemon();
        program.arg(format!("--socket={}", self.socket())).arg(format!("--port={}", self.server.port()));
        program.arg(format!("--pid-file={}", self.server.directory.join("pid").display()));
        program.args(["--mysqlx=OFF", "--skip-log-bin"]).arg(format!("--bind-address={ADDRESS}")).args(&self.options);
        let hosts = format!("127.0.0.1 localhost\n{ADDRESS} client.test\n");
        let hosts = self.server.directory.write_with_mode("hosts", &hosts, 0o644);
        self.server.start(&program, Network::Own(ADDRESS, &hosts), "ready for connections");
    }

    /// The address it listens on
    pub fn address(&self) -> Ipv4Addr {
        ADDRESS
    }

    /// `mysql://user@address:port`
    pub fn url(&self, user: &str) -> String {
        format!("mysql://{user}@{ADDRESS}:{}", self.server.port())
    }

    /// The path of its socket
    pub fn socket(&self) -> String {
        self.server.directory.join("socket").display().to_string()
    }

    /// Runs SQL as root, and gives the rows as lines.
    pub fn sql(&self, statements: &str) -> String {
        let mut client = unpacked("bin/mysql");
        client.args(["--no-defaults", "--user=root"]).arg(format!("--socket={}", self.socket()));
        client.args(["--batch", "--skip-column-names", "--execute", statements]);
        output(client)
    }

    /// `mysqld` with the options of every run
    fn daemon(&self) -> Command {
        let directory = self.server.directory.path().display();
        let mut program = unpacked("sbin/mysqld");
        program
            .arg("--no-defaults")
            .arg(format!("--basedir={}/usr", home()))
            .arg(format!("--datadir={directory}/data"))
            .arg(format!("--tmpdir={directory}"));
        program.args(["--innodb-flush-method=nosync", "--innodb-redo-log-capacity=8M", "--secure-file-priv=NULL"]);
        program
    }
}

/// Where `tests/mysql/unpack` puts it
fn home() -> String {
    target_directory().join("mysql").display().to_string()
}

/// A program of the packages, as nobody, started by the loader of its own libraries
fn unpacked(program: &str) -> Command {
    let usr = format!("{}/usr", home());
    let mut command = as_nobody(format!("{usr}/lib64/ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(format!("{usr}/lib/x86_64-linux-gnu:{usr}/lib/mysql/private"));
    command.arg(format!("{usr}/{program}"));
    command
}
