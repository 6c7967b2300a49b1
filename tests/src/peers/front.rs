//! nginx and `HAProxy` in front of an app, as people set them up, and our own proxy.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use harness::until;

use crate::{
    contained::{Network, as_nobody},
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
    _server: Option<Server>,
    _process: Option<Process>,
}

impl Front {
    /// Our proxy, with more arguments
    pub fn ours(app: SocketAddr, arguments: &[&str]) -> Self {
        let mut command = helper("proxy");
        command.args(["--listen", LISTEN, "--health-addr", "127.0.0.1:0", "--drain-delay", "0s"]);
        command.arg("--upstream").arg(format!("http://{app}")).args(arguments);
        let mut process = Process::start(command);
        let mut address = |text: &str| {
            let line = process.says(text);
            let address = line.split_once(" address=").and_then(|(_, rest)| rest.split_whitespace().next());
            address.and_then(|address| address.parse().ok()).expect("an address")
        };
        let (health, address) = (address("health listener is up"), address(" listening listener="));
        Self { address, health, listener: LISTEN, _server: None, _process: Some(process) }
    }

    /// nginx with the directives that its guides give for a reverse proxy with keep-alive
    pub fn nginx(app: SocketAddr) -> Self {
        let server = Server::new();
        let (port, directory) = (server.port(), server.directory.path().display().to_string());
        let settings = format!(
            "daemon off; worker_processes 1; pid {directory}/pid; error_log stderr notice; events {{}}
             http {{
               access_log off;
               client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
               fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
               upstream app {{ server {app}; keepalive 16; }}
               server {{
                 listen 127.0.0.1:{port};
                 location / {{
                   proxy_pass http://app;
                   proxy_http_version 1.1;
                   proxy_set_header Connection \"\";
                   proxy_set_header Host $host;
                   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                 }}
               }}
             }}"
        );
        server.directory.write("nginx.conf", &settings);
        let mut program = as_nobody("nginx");
        program.arg("-p").arg(server.directory.path()).arg("-c").arg(server.directory.join("nginx.conf"));
        program.args(["-e", "stderr"]);
        Self::started(server, &program)
    }

    /// `HAProxy` with the shortest configuration that forwards
    pub fn haproxy(app: SocketAddr) -> Self {
        let server = Server::new();
        let port = server.port();
        let settings = format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 10s\n timeout server 10s\n option forwardfor\n\
             frontend front\n bind 127.0.0.1:{port}\n default_backend app\n\
             backend app\n server app {app}\n"
        );
        let path = server.directory.write("haproxy.cfg", &settings);
        let mut program = as_nobody("haproxy");
        program.args(["-db", "-f"]).arg(path);
        Self::started(server, &program)
    }

    fn started(mut server: Server, program: &std::process::Command) -> Self {
        server.launch(program, Network::Shared);
        let address = (Ipv4Addr::LOCALHOST, server.port()).into();
        until("the proxy listens", || TcpStream::connect(address).ok());
        Self { address, health: address, listener: "", _server: Some(server), _process: None }
    }
}
