//! The end of a listener that shares its address: without this, the kernel resets connections that a successor could have served.
//!
//! A listener that closes resets the connections that wait to be accepted, and those whose handshake is under way (unless
//! `net.ipv4.tcp_migrate_req` is 1, which a pod cannot set). So a listener first stops to begin handshakes, and closes when the
//! ones that it has begun are over and its queue is empty. A client whose first packet comes in this time gets no answer to it,
//! repeats it after a second (RFC 6298, section 2.1), and meets the successor.

use std::{io, os::fd::AsFd, time::Duration};

use socket2::{SockFilter, SockRef};

/// The time for handshakes that have begun. A longer time loses fewer clients that are far away, but more clients have to repeat
/// their first packet. It is shorter than that second, so that none has to repeat it twice.
pub(super) const HANDSHAKES: Duration = Duration::from_millis(300);

/// A classic BPF program (filter.rst of the kernel's documentation) that sees packets from their TCP header on, and drops those that
/// begin a connection: SYN without ACK.
const WITHOUT_SYN: [SockFilter; 5] = [
    // BPF_LD | BPF_B | BPF_ABS: the flags of TCP
    SockFilter::new(0x30, 0, 0, 13),
    // BPF_ALU | BPF_AND | BPF_K: SYN and ACK of them
    SockFilter::new(0x54, 0, 0, 0x12),
    // BPF_JMP | BPF_JEQ | BPF_K: SYN alone goes to the next line
    SockFilter::new(0x15, 0, 1, 0x02),
    // BPF_RET | BPF_K
    SockFilter::new(0x06, 0, 0, 0),
    SockFilter::new(0x06, 0, 0, u32::MAX),
];

/// Begins no more handshakes on this listener; those that have begun go on.
pub(super) fn begin_no_more(listener: &impl AsFd) -> io::Result<()> {
    SockRef::from(listener).attach_filter(&WITHOUT_SYN)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        net::{SocketAddr, TcpListener, TcpStream},
        thread,
    };

    use super::*;

    fn listener(port: u16) -> TcpListener {
        let address = lifecycle::ListenAddress { ip: Some("127.0.0.1".parse().unwrap()), port };
        lifecycle::bind_shared(address, "--listen").unwrap()
    }

    fn accepted(listener: &TcpListener) -> Vec<TcpStream> {
        std::iter::from_fn(|| listener.accept().ok()).map(|(stream, _)| stream).collect()
    }

    #[test]
    fn clients_that_come_while_a_listener_closes_meet_its_successor() {
        let old = listener(0);
        let address: SocketAddr = old.local_addr().unwrap();
        let new = listener(address.port());
        let before: Vec<_> = (0..32).map(|_| TcpStream::connect(address).unwrap()).collect();
        begin_no_more(&old).unwrap();
        let later: Vec<_> = (0..32).map(|_| thread::spawn(move || TcpStream::connect(address).unwrap())).collect();
        thread::sleep(HANDSHAKES);
        // The kernel has spread the earlier ones over both; the old listener must take its part before it closes.
        let mut taken = accepted(&old);
        assert!(!taken.is_empty() && taken.len() <= 32, "{}", taken.len());
        drop(old);
        let later: Vec<_> = later.into_iter().map(|client| client.join().unwrap()).collect();
        taken.extend(accepted(&new));
        assert_eq!(taken.len(), 64);
        drop(taken);
        for mut client in before.into_iter().chain(later) {
            assert_eq!(client.read(&mut [0]).unwrap(), 0, "a connection was reset");
        }
    }
}
