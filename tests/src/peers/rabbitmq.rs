//! `RabbitMQ`.

use std::process::Command;

use crate::{
    contained::{Network, as_nobody},
    port::Port,
    process::output,
    server::Server,
};
use harness::Identity;

/// Where Debian has the programs themselves; those in `PATH` insist on a user of their own.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// A broker with the user `guest` and the virtual host `/`
pub struct RabbitMq {
    /// Its port without TLS, directory, log and process
    pub server: Server,
    tls: Port,
    /// The port between nodes, by which `rabbitmqctl` reaches it, and that of the register of nodes
    nodes: [Port; 2],
}

impl RabbitMq {
    /// One that does not run yet; this identity is that of its listener with TLS.
    pub fn new(identity: &Identity) -> Self {
        let rabbit = Self { server: Server::new(), tls: Port::free(), nodes: [Port::free(), Port::free()] };
        let directory = &rabbit.server.directory;
        let files = [("server.pem", &identity.certificate), ("server.key", &identity.key)];
        let [certificate, key] = files.map(|(name, content)| directory.write(name, content).display().to_string());
        let settings = [
            format!("listeners.tcp.1 = 127.0.0.1:{}", rabbit.server.port()),
            format!("listeners.ssl.1 = 127.0.0.1:{}", rabbit.tls.number()),
            format!("ssl_options.certfile = {certificate}"),
            format!("ssl_options.keyfile = {key}"),
            "ssl_options.verify = verify_none".into(),
            "log.console = true".into(),
            "log.console.level = info".into(),
        ];
        directory.write("rabbitmq.conf", &settings.join("\n"));
        directory.write("enabled_plugins", "[].\n");
        rabbit
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let program = self.program("rabbitmq-server");
        self.server.start(&program, Network::Shared, "Server startup complete");
    }

    /// Runs `rabbitmqctl` with these words.
    pub fn control(&self, words: &str) -> String {
        let mut program = self.program("rabbitmqctl");
        program.arg("--quiet").args(words.split(' '));
        output(program)
    }

    /// `amqp://localhost:port`
    pub fn url(&self) -> String {
        format!("amqp://localhost:{}", self.server.port())
    }

    /// `amqps://localhost:port`
    pub fn url_with_tls(&self) -> String {
        format!("amqps://localhost:{}", self.tls.number())
    }

    fn program(&self, name: &str) -> Command {
        let here = self.server.directory.path().display();
        let [between, register] = self.nodes.each_ref().map(Port::number);
        let mut program = as_nobody("env");
        program.args([
            format!("HOME={here}"),
            format!("RABBITMQ_NODENAME=test{}@localhost", self.server.port()),
            format!("RABBITMQ_DIST_PORT={between}"),
            format!("ERL_EPMD_PORT={register}"),
            "ERL_EPMD_ADDRESS=127.0.0.1".into(),
            format!("RABBITMQ_MNESIA_BASE={here}/mnesia"),
            format!("RABBITMQ_LOG_BASE={here}/logs"),
            format!("RABBITMQ_CONFIG_FILE={here}/rabbitmq.conf"),
            format!("RABBITMQ_ENABLED_PLUGINS_FILE={here}/enabled_plugins"),
            format!("RABBITMQ_PID_FILE={here}/pid"),
            // One scheduler: tests have few cores.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1".into(),
            format!("{PROGRAMS}/{name}"),
        ]);
        program
    }
}
