//! Calls of gRPC through the proxy.

mod client;
mod deadlines;
mod drains;
mod passing;
mod peers;
mod refusals;
mod reports;
mod retries;
mod server;

use std::{net::SocketAddr, sync::LazyLock};

use harness::Authority;

use self::{client::Client, server::Server};
use crate::support::Proxy;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

/// A proxy in front of an upstream that speaks HTTP/2
#[track_caller]
fn proxy(server: &Server, arguments: &[&str]) -> Proxy {
    proxy_to(server.address, arguments)
}

#[track_caller]
fn proxy_to(upstream: SocketAddr, arguments: &[&str]) -> Proxy {
    run(&format!("http://{upstream}#http=2"), arguments)
}

#[track_caller]
fn run(upstream: &str, arguments: &[&str]) -> Proxy {
    Proxy::run(&[&["--listen", "127.0.0.1:0", "--upstream", upstream], arguments].concat())
}

impl Proxy {
    fn grpc(&self) -> Client {
        Client::new(self.address)
    }
}
