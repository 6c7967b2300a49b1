//! Postfix.

use std::{fs, process::Command};

use crate::{contained::Network, server::Server};
use harness::Identity;

/// A mail server that delivers nothing, and logs as it does by default
pub struct Postfix {
    /// Its port, directory, log and process
    pub server: Server,
}

impl Postfix {
    /// One that offers STARTTLS with this identity
    pub fn new(identity: &Identity) -> Self {
        let server = Server::new();
        let files = [("server.pem", &identity.certificate), ("server.key", &identity.key)];
        let [certificate, key] =
            files.map(|(name, content)| server.directory.write(name, content).display().to_string());
        let here = server.directory.path().display();
        let settings = [
            "compatibility_level = 3.7".into(),
            format!("queue_directory = {here}/queue"),
            format!("data_directory = {here}/data"),
            "maillog_file = /dev/stdout".into(),
            "myhostname = mail.example".into(),
            "inet_interfaces = 127.0.0.1".into(),
            "inet_protocols = ipv4".into(),
            "mydestination =".into(),
            "alias_maps =".into(),
            "local_recipient_maps =".into(),
            "smtpd_tls_security_level = may".into(),
            format!("smtpd_tls_cert_file = {certificate}"),
            format!("smtpd_tls_key_file = {key}"),
        ];
        server.directory.write("main.cf", &settings.join("\n"));
        let services = [
            format!("127.0.0.1:{} inet n - n - - smtpd", server.port()),
            "postlog unix-dgram n - n - 1 postlogd".into(),
            "anvil unix - - n - 1 anvil".into(),
            "tlsmgr unix - - n 1000? 1 tlsmgr".into(),
        ];
        server.directory.write("master.cf", &services.join("\n"));
        for name in ["queue", "data"] {
            fs::create_dir(server.directory.join(name)).expect("a directory");
        }
        Self { server }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        // Its processes run as a user of its own, and refuse data of any other.
        let mut program = Command::new("sh");
        program.args([
            "-c",
            r#"chmod 755 "$0" && chown root "$0"/*.cf && chown postfix "$0/data" && exec postfix -c "$0" start-fg"#,
        ]);
        program.arg(self.server.directory.path());
        self.server.start(&program, Network::Shared, "daemon started");
    }

    /// `smtp://localhost:port`
    pub fn url(&self) -> String {
        format!("smtp://localhost:{}", self.server.port())
    }
}
