//! syslog-ng as a receiver, which `tests/syslog-ng/unpack` fetches.

use std::process::Command;

use super::rsyslog::{Transport, received, write_certificates};
use crate::{
    contained::{Network, as_nobody},
    process::target_directory,
    server::Server,
};
use harness::until;

/// A syslog-ng that writes what it gets to a file
pub struct SyslogNg {
    /// Its port, directory, log and process
    pub server: Server,
    transport: Transport,
}

impl SyslogNg {
    /// Starts one, and waits until it listens.
    pub fn start(transport: Transport) -> Self {
        let mut server = Server::new();
        write_certificates(&server);
        let (port, directory) = (server.port(), server.directory.path().display().to_string());
        let transport_settings = match transport {
            Transport::Tcp => r#"transport("tcp")"#.to_owned(),
            Transport::Tls => format!(
                r#"transport("tls") tls(cert-file("{directory}/server.pem") key-file("{directory}/server.key")
                   peer-verify(optional-untrusted))"#
            ),
            Transport::Udp => r#"transport("udp") so-rcvbuf(4194304)"#.to_owned(),
        };
        let settings = format!(
            r#"@version: 3.38
               options {{ use-dns(no); keep-hostname(yes); chain-hostnames(no); stats-freq(0); }};
               source ours {{ syslog(ip("127.0.0.1") port({port}) {transport_settings}); }};
               destination all {{ file("{directory}/received" template("$PRI $HOST $PROGRAM $MSG\n")); }};
               log {{ source(ours); destination(all); flags(flow-control); }};
            "#
        );
        let settings = server.directory.write("syslog-ng.conf", &settings);
        server.launch(&program(&directory, &settings.display().to_string()), Network::Shared);
        until("syslog-ng runs", || server.directory.join("control").exists().then_some(()));
        Self { server, transport }
    }

    /// Where it takes messages
    pub fn url(&self) -> String {
        self.transport.url(&self.server)
    }

    /// Waits until it has this number of messages, and gives all: priority, host, app and text, with spaces between
    pub fn received(&self, least: usize) -> Vec<String> {
        received(&self.server, least)
    }
}

/// syslog-ng from where it was unpacked, in the foreground, with all that it writes in one directory
fn program(directory: &str, settings: &str) -> Command {
    let unpacked = target_directory().join("syslog-ng/usr");
    let mut program = as_nobody("env");
    program.arg(format!("LD_LIBRARY_PATH={}", unpacked.join("lib/syslog-ng").display()));
    program.arg(unpacked.join("sbin/syslog-ng")).args(["--foreground", "--stderr", "--no-caps"]);
    program.arg(format!("--module-path={}", unpacked.join("lib/syslog-ng/3.38").display()));
    program.arg(format!("--cfgfile={settings}"));
    for (option, name) in [("control", "control"), ("persist-file", "persist"), ("pidfile", "pid")] {
        program.arg(format!("--{option}={directory}/{name}"));
    }
    program
}
