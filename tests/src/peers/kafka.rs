//! Kafka: one broker that is its own controller, with a listener for each kind of client.

use std::path::PathBuf;

use crate::{
    contained::{Network, as_nobody},
    port::Port,
    process::target_directory,
    server::Server,
};
use harness::Identity;

/// A user that may do anything, and its password
pub const ROOT: (&str, &str) = ("root", "secret");
/// A user without any permission, and its password
pub const GUEST: (&str, &str) = ("guest", "secret");

/// A broker
pub struct Kafka {
    /// Its port without TLS and login, directory, log and process
    pub server: Server,
    tls: Port,
    login: Port,
    controller: Port,
    identity: PathBuf,
}

impl Kafka {
    /// One that does not run yet; this identity is that of its listener with TLS.
    pub fn new(identity: &Identity) -> Self {
        let server = Server::new();
        let pem = format!("{}{}", identity.key, identity.certificate);
        let identity = server.directory.write("server.pem", &pem);
        Self { server, tls: Port::free(), login: Port::free(), controller: Port::free(), identity }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let built = target_directory().join("kafka");
        let settings = self.server.directory.write("server.properties", &self.settings());
        let mut program = as_nobody("java");
        // It is small and short-lived: what compiles and collects for long runs would cost more than it saves.
        program.args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]);
        program.arg("-cp").arg(format!("{0}/classes:{0}/lib/*", built.display())).arg("OneBroker").arg(settings);
        program.arg(format!("127.0.0.1:{}", self.server.port()));
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            for (user, password) in [ROOT, GUEST] {
                program.arg(format!("{mechanism}=[name={user},password={password}]"));
            }
        }
        self.server.start(&program, Network::Shared, "OneBroker is ready");
    }

    fn settings(&self) -> String {
        let listeners = [
            ("PLAINTEXT", self.server.port()),
            ("SSL", self.tls.number()),
            ("SASL_PLAINTEXT", self.login.number()),
            ("CONTROLLER", self.controller.number()),
        ];
        let listeners = listeners.map(|(name, port)| format!("{name}://127.0.0.1:{port}")).join(",");
        let [(root, password), (guest, guests)] = [ROOT, GUEST];
        let module = "org.apache.kafka.common.security";
        let login = "listener.name.sasl_plaintext";
        [
            "process.roles=broker,controller".to_owned(),
            "node.id=1".into(),
            format!("controller.quorum.bootstrap.servers=127.0.0.1:{}", self.controller.number()),
            format!("listeners={listeners}"),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
                .into(),
            "controller.listener.names=CONTROLLER".into(),
            "inter.broker.listener.name=PLAINTEXT".into(),
            format!("log.dirs={}", self.server.directory.join("data").display()),
            "offsets.topic.replication.factor=1".into(),
            "auto.create.topics.enable=true".into(),
            "ssl.keystore.type=PEM".into(),
            format!("ssl.keystore.location={}", self.identity.display()),
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".into(),
            format!(
                "{login}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{root}=\"{password}\" user_{guest}=\"{guests}\";"
            ),
            format!("{login}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;"),
            format!("{login}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;"),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".into(),
            format!("super.users=User:ANONYMOUS;User:{root}"),
        ]
        .join("\n")
    }

    /// Creates a topic.
    pub fn create(&mut self, topic: &str, partitions: usize) {
        let mark = self.server.log().len();
        self.server.tell(&format!("{topic} {partitions}"));
        self.server.says(mark, &format!("OneBroker has created {topic}"));
    }

    /// `kafka://127.0.0.1:port`, without TLS and login
    pub fn url(&self) -> String {
        format!("kafka://127.0.0.1:{}", self.server.port())
    }

    /// `kafkas://localhost:port`
    pub fn url_with_tls(&self) -> String {
        format!("kafkas://localhost:{}", self.tls.number())
    }

    /// `kafka://user@127.0.0.1:port#password-file=PATH`
    pub fn url_with_login(&self, (user, password): (&str, &str)) -> String {
        let file = self.server.directory.write(password, password);
        format!("kafka://{user}@127.0.0.1:{}#password-file={}", self.login.number(), file.display())
    }

    /// The listener that takes only those with a login, without one
    pub fn url_without_login(&self) -> String {
        format!("kafka://127.0.0.1:{}", self.login.number())
    }
}
