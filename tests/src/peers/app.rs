//! Apps behind a proxy, by servers that people use: `GET /` is `hello`, and `/upload` keeps what is PUT there.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
};

use harness::until;

use crate::{
    contained::{Network, as_nobody},
    process::{command, target_directory},
    server::Server,
};

/// The servers
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// nginx, with files
    Nginx,
    /// Python's own `http.server`
    HttpServer,
    /// Python's aiohttp
    Aiohttp,
    /// gunicorn with WSGI, which closes idle connections after a second
    Gunicorn,
    /// Go's net/http
    Go,
}

impl Kind {
    /// All of them
    pub const ALL: [Self; 5] = [Self::Nginx, Self::HttpServer, Self::Aiohttp, Self::Gunicorn, Self::Go];
}

/// A running app
pub struct App {
    /// Where it listens
    pub address: SocketAddr,
    _server: Server,
}

impl App {
    /// Starts one, and waits until it listens.
    pub fn start(kind: Kind) -> Self {
        let mut server = Server::new();
        let port = server.port().to_string();
        let program = match kind {
            Kind::Nginx => nginx(&server),
            Kind::HttpServer => python("http_server.py", &port),
            Kind::Aiohttp => python("aiohttp_app.py", &port),
            Kind::Gunicorn => gunicorn(&port),
            Kind::Go => {
                let mut program = command(target_directory().join("go-app"));
                program.arg(format!("127.0.0.1:{port}"));
                program
            }
        };
        server.launch(&program, Network::Shared);
        let address = (Ipv4Addr::LOCALHOST, server.port()).into();
        until("the app listens", || TcpStream::connect(address).ok());
        Self { address, _server: server }
    }
}

fn nginx(server: &Server) -> Command {
    let (port, directory) = (server.port(), server.directory.path().display().to_string());
    server.directory.write("index.html", "hello\n");
    let settings = format!(
        "daemon off; worker_processes 1; pid {directory}/pid; error_log stderr notice; events {{}}
         http {{
           access_log off; keepalive_requests 100000;
           client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
           fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
           server {{
             listen 127.0.0.1:{port};
             root {directory}; client_max_body_size 0;
             location = /upload {{ dav_methods PUT; }}
           }}
         }}"
    );
    server.directory.write("nginx.conf", &settings);
    let mut program = as_nobody("nginx");
    program.arg("-p").arg(server.directory.path()).arg("-c").arg(server.directory.join("nginx.conf"));
    program.args(["-e", "stderr"]);
    program
}

fn python(script: &str, port: &str) -> Command {
    let mut program = super::python::script(&format!("apps/{script}"));
    program.arg(port);
    program
}

fn gunicorn(port: &str) -> Command {
    let mut program = command(target_directory().join("peers-venv/bin/python"));
    program.args([
        // -B: no compiled file beside the source
        "-B",
        "-m",
        "gunicorn",
        "--bind",
        &format!("127.0.0.1:{port}"),
        "--worker-class",
        "gthread",
        "--threads",
        "8",
    ]);
    program.args(["--keep-alive", "1", "--no-control-socket", "--chdir"]).arg(apps()).arg("wsgi_app:app");
    program
}

fn apps() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/peers/apps")
}
