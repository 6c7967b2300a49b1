//! Sockets that listen: on both families, with a backlog, and with an error that names the address.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{exit::Exit, io_text::io_text, listen_address::ListenAddress};

/// Connections that wait to be accepted; the system's own bound (`net.core.somaxconn`) may be
/// lower.
const BACKLOG: i32 = 1024;

/// Takes the address. A taken port is an error (69) that names it and the flag it came from.
pub(crate) fn bind(address: ListenAddress, flag: &str) -> anyhow::Result<TcpListener> {
    bind_with(address, flag, false)
}

/// The same, but shares the address with other sockets of this user that are shared too
/// (`SO_REUSEPORT`, socket(7)): the workers of one process, or a process and its successor. The
/// system spreads new connections over them.
pub fn bind_shared(address: ListenAddress, flag: &str) -> anyhow::Result<TcpListener> {
    bind_with(address, flag, true)
}

fn bind_with(address: ListenAddress, flag: &str, is_shared: bool) -> anyhow::Result<TcpListener> {
    let listen = |ip| listen((ip, address.port).into(), is_shared);
    let listener = match address.ip {
        Some(ip) => listen(ip),
        // A dual-stack socket where the node has IPv6, because clients dial the pod's first IP
        // of either family.
        None => listen(Ipv6Addr::UNSPECIFIED.into()).or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            _ => listen(Ipv4Addr::UNSPECIFIED.into()),
        }),
    };
    listener.map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => format!("address in use; is another helper on {flag}?"),
            io::ErrorKind::PermissionDenied if address.port < 1024 => {
                format!("permission denied; give {flag} a port from 1024 on, or the container NET_BIND_SERVICE")
            }
            _ => io_text(&error),
        };
        Exit::Unavailable.because(format!("cannot bind {address}: {reason}"))
    })
}

/// A listener. On all IPv6 addresses it takes IPv4 too, also where `net.ipv6.bindv6only` is 1.
fn listen(address: SocketAddr, is_shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    if address == (Ipv6Addr::UNSPECIFIED, address.port()).into() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
