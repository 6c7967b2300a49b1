//! nginx, with TLS or without.

use crate::{
    contained::{Network, as_nobody},
    server::{Server, read},
};
use harness::Authority;

/// An nginx that serves one name by TLS, with a certificate that [`Nginx::authority`] signed
pub struct Nginx {
    /// Its port, directory, log and process
    pub server: Server,
    /// The authority that signed its certificate
    pub authority: Authority,
}

impl Nginx {
    /// One for `https://localhost` that does not run yet; `directives` are of its `server` block.
    pub fn new(directives: &str) -> Self {
        let (server, authority) = (Server::new(), Authority::new());
        let identity = authority.identity("localhost");
        server.directory.write("ca.pem", &authority.certificate());
        server.directory.write("server.pem", &identity.certificate);
        server.directory.write("server.key", &identity.key);
        let (port, directory) = (server.port(), server.directory.path().display().to_string());
        let settings = format!(
            "daemon off; worker_processes 1; pid {directory}/pid; error_log stderr notice; events {{}}
             http {{
               access_log {directory}/access.log;
               client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
               fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
               server {{
                 listen 127.0.0.1:{port} ssl http2;
                 ssl_certificate {directory}/server.pem; ssl_certificate_key {directory}/server.key;
                 {directives}
               }}
             }}"
        );
        server.directory.write("nginx.conf", &settings);
        Self { server, authority }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        start(&mut self.server);
    }

    /// `https://localhost:port` and `path`, with the authority to trust as the first option
    pub fn url(&self, path: &str) -> String {
        let authority = self.server.directory.join("ca.pem");
        format!("https://localhost:{}{path}#ca={}", self.server.port(), authority.display())
    }

    /// The requests it has logged
    pub fn access_log(&self) -> String {
        read(&self.server.directory.join("access.log"))
    }
}

/// A running nginx without TLS; `directives` are of its `server` block. It logs requests to `access.log`.
pub fn plain(directives: &str) -> Server {
    let mut server = Server::new();
    let (port, directory) = (server.port(), server.directory.path().display().to_string());
    let settings = format!(
        "daemon off; worker_processes 1; pid {directory}/pid; error_log stderr notice; events {{}}
         http {{
           access_log {directory}/access.log;
           client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
           fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
           server {{ listen 127.0.0.1:{port}; {directives} }}
         }}"
    );
    server.directory.write("nginx.conf", &settings);
    start(&mut server);
    server
}

fn start(server: &mut Server) {
    let directory = server.directory.path();
    let mut program = as_nobody("nginx");
    program.arg("-p").arg(directory).arg("-c").arg(directory.join("nginx.conf")).args(["-e", "stderr"]);
    server.start(&program, Network::Shared, "start worker process ");
}
