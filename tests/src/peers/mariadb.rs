//! MariaDB.

use std::{net::Ipv4Addr, process::Command};

use crate::{
    contained::{Network, as_nobody},
    process::{command, output},
    server::Server,
};

/// A MariaDB server with a database of its own
pub struct MariaDb {
    /// Its port, directory, log and process
    pub server: Server,
    options: Vec<String>,
    network: Option<Ipv4Addr>,
}

impl MariaDb {
    /// One on loopback that does not run yet, with further options of `mariadbd`
    pub fn new(options: &[&str]) -> Self {
        Self::with(options, None)
    }

    /// One in a network of its own, whose hosts file gives `address` the name `client.test`: MariaDB exempts loopback from its
    /// count of failed connections, and counts only clients whose address has a name.
    pub fn in_own_network(address: Ipv4Addr, options: &[&str]) -> Self {
        Self::with(options, Some(address))
    }

    fn with(options: &[&str], network: Option<Ipv4Addr>) -> Self {
        let server = Server::new();
        let mut install = as_nobody("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.args(["--innodb-flush-method=nosync", "--innodb-log-file-size=4M"]);
        let directory = server.directory.path().display();
        // Not /tmp: a server that starts removes the temporary tables of all others there.
        install.arg(format!("--datadir={directory}/data")).arg(format!("--tmpdir={directory}"));
        output(install);
        Self { server, options: options.iter().map(ToString::to_string).collect(), network }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let directory = self.server.directory.path().display();
        let mut program = as_nobody("mariadbd");
        program.args(["--no-defaults", "--innodb-flush-method=nosync", "--innodb-log-file-size=4M"]);
        program.arg(format!("--datadir={directory}/data")).arg(format!("--socket={directory}/socket"));
        program
            .arg(format!("--tmpdir={directory}"))
            .arg(format!("--pid-file={directory}/pid"))
            .arg(format!("--port={}", self.server.port()));
        program.arg(format!("--bind-address={}", self.address())).args(&self.options);
        let hosts = self.network.map(|address| {
            let hosts = format!("127.0.0.1 localhost\n{address} client.test\n");
            (address, self.server.directory.write_with_mode("hosts", &hosts, 0o644))
        });
        let network = hosts.as_ref().map_or(Network::Shared, |(address, hosts)| Network::Own(*address, hosts));
        self.server.start(&program, network, "ready for connections");
    }

    /// The address it listens on
    pub fn address(&self) -> Ipv4Addr {
        self.network.unwrap_or(Ipv4Addr::LOCALHOST)
    }

    /// `mysql://address:port`
    pub fn url(&self) -> String {
        format!("mysql://{}:{}", self.address(), self.server.port())
    }

    /// Runs SQL as root, and gives the rows as lines.
    pub fn sql(&self, statements: &str) -> String {
        let mut client = self.client();
        client.args(["--batch", "--skip-column-names", "--execute", statements]);
        output(client)
    }

    /// The client of MariaDB, as root, through the socket
    pub fn client(&self) -> Command {
        let mut client = command("mariadb");
        client.args(["--no-defaults", "--user=root"]);
        client.arg(format!("--socket={}", self.server.directory.join("socket").display()));
        client
    }
}
