//! A TCP port on loopback that is one test's own.

use tokio::net::TcpSocket;

/// A port where nothing listens, until a server of the test does
///
/// A socket stays bound to it and never listens: clients are refused, a server that sets `SO_REUSEADDR` (as they all do) can
/// still listen, and the system gives the port to nobody else, not even to a client of this very port as its own end,
/// which would connect to itself.
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
