//! nginx and `HAProxy` in front of an app, as people set them up, and our own proxy.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use harness::{http, send, until, wait_until_caught};

use crate::{
    contained::{Network, as_nobody},
    peers::certificates::Certificates,
    process::{Process, helper},
    server::Server,
};

/// Any port on loopback
const LISTEN: &str = "127.0.0.1:0";

/// A proxy in front of an app on loopback
pub struct Front {
    /// Where clients connect
    pub address: SocketAddr,
    /// Where our proxy shows its metrics
    pub health: SocketAddr,
    /// The name of our proxy's listener
    pub listener: &'static str,
    server: Option<Server>,
    process: Option<Process>,
}

impl Front {
    /// Our proxy in front of an app without TLS, with more arguments
    pub fn ours(app: SocketAddr, arguments: &[&str]) -> Self {
        Self::ours_to(&format!("http://{app}"), arguments)
    }

    /// Our proxy in front of the app at this URL, with more arguments
    pub fn ours_to(upstream: &str, arguments: &[&str]) -> Self {
        let mut command = helper("proxy");
        command.args(["--listen", LISTEN, "--health-addr", "127.0.0.1:0"]);
        if !arguments.contains(&"--drain-delay") {
            command.args(["--drain-delay", "0s"]);
        }
        command.arg("--upstream").arg(upstream).args(arguments);
        let mut process = Process::start(command);
        let mut address = |text: &str| {
            let line = process.says(text);
            let address = line.split_once(" address=").and_then(|(_, rest)| rest.split_whitespace().next());
            address.and_then(|address| address.trim_matches('"').parse().ok()).expect("an address")
        };
        let (health, address) = (address("health listener is up"), address(" listening listener="));
        Self { address, health, listener: LISTEN, server: None, process: Some(process) }
    }

    /// The same with TLS for its clients, as `server` of these certificates
    pub fn ours_with_tls(upstream: &str, certificates: &Certificates, arguments: &[&str]) -> Self {
        let (certificate, key) = (certificates.path("server.pem"), certificates.path("server.key"));
        Self::ours_to(upstream, &[&["--tls-cert", &certificate, "--tls-key", &key], arguments].concat())
    }

    /// Sends our proxy a signal by its name.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("our proxy").signal(name);
    }

    /// Waits until our proxy has ended, which must be with 0, and gives its log.
    pub fn ends(self) -> String {
        self.process.expect("our proxy").ends_with(0).log
    }

    /// The sum of a metric of our proxy over all its series; those of one label are `name{label="value"`.
    pub fn counted(&self, name: &str) -> u64 {
        let page = http::get(self.health, "/metrics").body;
        let series = page
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{', ',', '}'])));
        series.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a count")).sum()
    }

    /// nginx with these directives in `http`; in them `PORT` and `DIRECTORY` are its own.
    pub fn by_nginx(directives: &str) -> Self {
        let server = Server::new();
        let (port, directory) = (server.port().to_string(), server.directory.path().display().to_string());
        let settings = format!(
            "daemon off; worker_processes 1; pid DIRECTORY/pid; error_log stderr notice; events {{}}
             http {{
               access_log off;
               client_body_temp_path DIRECTORY/body; proxy_temp_path DIRECTORY/proxy;
               fastcgi_temp_path DIRECTORY/fastcgi; uwsgi_temp_path DIRECTORY/uwsgi; scgi_temp_path DIRECTORY/scgi;
               {directives}
             }}"
        );
        server.directory.write("nginx.conf", &settings.replace("PORT", &port).replace("DIRECTORY", &directory));
        let mut program = as_nobody("nginx");
        program.arg("-p").arg(server.directory.path()).arg("-c").arg(server.directory.join("nginx.conf"));
        program.args(["-e", "stderr"]);
        Self::started(server, &program)
    }

    /// nginx with the directives that its guides give for a reverse proxy with keep-alive
    pub fn nginx(app: SocketAddr) -> Self {
        Self::by_nginx(&format!(
            "upstream app {{ server {app}; keepalive 16; }}
             server {{
               listen 127.0.0.1:PORT;
               location / {{
                 proxy_pass http://app;
                 proxy_http_version 1.1;
                 proxy_set_header Connection \"\";
                 proxy_set_header Host $host;
                 proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
               }}
             }}"
        ))
    }

    /// `HAProxy` with the shortest configuration that forwards
    pub fn haproxy(app: SocketAddr) -> Self {
        Self::by_haproxy(&format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 10s\n timeout server 10s\n option forwardfor\n\
             frontend front\n bind 127.0.0.1:PORT\n default_backend app\n\
             backend app\n server app {app}\n"
        ))
    }

    /// `HAProxy` with these sections; in them `PORT` is its own.
    pub fn by_haproxy(sections: &str) -> Self {
        let server = Server::new();
        let path = server.directory.write("haproxy.cfg", &sections.replace("PORT", &server.port().to_string()));
        let mut program = as_nobody("haproxy");
        // -W: a master that can start another worker
        program.args(["-W", "-db", "-f"]).arg(path);
        Self::started(server, &program)
    }

    /// Lets `HAProxy` read its sections again, and waits until its former worker has ended.
    pub fn reload_haproxy(&mut self) {
        let haproxy = self.server.as_mut().expect("HAProxy");
        let master = haproxy.process().number();
        // From its start and from each reload until it has said "Loading success" and a little longer, it ignores this signal.
        wait_until_caught(master, "USR2");
        let mark = haproxy.log().len();
        send(master, "USR2");
        // The former worker may take as long as its connections.
        haproxy.says(mark, "Loading success");
    }

    fn started(mut server: Server, program: &std::process::Command) -> Self {
        server.launch(program, Network::Shared);
        let address = (Ipv4Addr::LOCALHOST, server.port()).into();
        until("the proxy listens", || TcpStream::connect(address).ok());
        Self { address, health: address, listener: "", server: Some(server), process: None }
    }
}
