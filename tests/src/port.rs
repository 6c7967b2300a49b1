//! A TCP port on loopback that is reserved for one test.

use tokio::net::TcpSocket;

/// A port that refuses connections until a server of the test listens there
///
/// A socket stays bound to the port and never listens. Clients are refused, and a server that sets `SO_REUSEADDR`, as all servers
/// do, can still listen. The kernel gives the port to no other socket, so a client of this port never gets it as its own port
/// and connects to itself.
pub struct Port {
    number: u16,
    _holder: TcpSocket,
}

impl Port {
    /// A free port on 127.0.0.1
    pub fn free() -> Self {
        let holder = TcpSocket::new_v4().expect("a socket");
        holder.set_reuseaddr(true).expect("SO_REUSEADDR");
        holder.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        Self { number: holder.local_addr().expect("an address").port(), _holder: holder }
    }

    /// Its number
    pub fn number(&self) -> u16 {
        self.number
    }
}
