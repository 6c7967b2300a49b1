//! rsyslog as a receiver: counted octets over TCP, with TLS or not, and datagrams.

use crate::{
    contained::{Network, as_nobody},
    server::Server,
};
use harness::{Authority, Identity, until};

/// How it is reached
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Counted octets (RFC 6587)
    Tcp,
    /// Counted octets within TLS (RFC 5425)
    Tls,
    /// Datagrams (RFC 5426)
    Udp,
}

impl Transport {
    /// A URL of ours for it; for TLS, with the authority that `directory` holds as `ca.pem`
    pub fn url(self, server: &Server) -> String {
        let (port, ca) = (server.port(), server.directory.join("ca.pem"));
        match self {
            Self::Tcp => format!("syslog+tcp://127.0.0.1:{port}"),
            Self::Tls => format!("syslog+tls://localhost:{port}#ca={}", ca.display()),
            Self::Udp => format!("syslog+udp://127.0.0.1:{port}"),
        }
    }
}

/// Writes `ca.pem`, `server.pem` and `server.key` of a new authority.
pub(super) fn write_certificates(server: &Server) {
    let authority = Authority::new();
    let Identity { certificate, key } = authority.identity("localhost");
    for (name, content) in [("ca.pem", authority.certificate()), ("server.pem", certificate), ("server.key", key)] {
        server.directory.write(name, &content);
    }
}

/// Waits until `received` holds this number of lines, and gives all of them.
pub(super) fn received(server: &Server, least: usize) -> Vec<String> {
    until(&format!("the receiver has {least} messages"), || {
        let text = crate::server::read(&server.directory.join("received"));
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let lines = whole.lines().map(str::to_owned).collect::<Vec<_>>();
        (lines.len() >= least).then_some(lines)
    })
}

/// An rsyslog that writes what it gets to a file
pub struct Rsyslog {
    /// Its port, directory, log and process
    pub server: Server,
    transport: Transport,
}

impl Rsyslog {
    /// Starts one, and waits until it listens.
    pub fn start(transport: Transport) -> Self {
        let mut server = Server::new();
        write_certificates(&server);
        let (port, directory) = (server.port(), server.directory.path().display().to_string());
        let input = match transport {
            Transport::Tcp => r#"module(load="imtcp") input(type="imtcp""#.to_owned(),
            Transport::Tls => format!(
                r#"global(DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="{directory}/ca.pem"
                     DefaultNetstreamDriverCertFile="{directory}/server.pem"
                     DefaultNetstreamDriverKeyFile="{directory}/server.key")
                   module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
                   input(type="imtcp""#
            ),
            Transport::Udp => r#"module(load="imudp") input(type="imudp" rcvbufSize="4m""#.to_owned(),
        };
        let settings = format!(
            r#"global(workDirectory="{directory}" net.enableDNS="off")
               {input} address="127.0.0.1" port="{port}")
               template(name="all" type="string" string="%pri% %hostname% %app-name% %msg%\n")
               action(type="omfile" file="{directory}/received" template="all" flushOnTXEnd="on")
            "#
        );
        let settings = server.directory.write("rsyslog.conf", &settings);
        let mut program = as_nobody("rsyslogd");
        program.arg("-n").arg("-f").arg(settings).arg("-i").arg(server.directory.join("pid"));
        server.launch(&program, Network::Shared);
        until("rsyslog runs", || server.directory.join("pid").exists().then_some(()));
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
