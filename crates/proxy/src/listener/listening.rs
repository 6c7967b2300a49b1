//! A listener's socket in one worker, of TCP or of the file system: bound, served, and closed without a reset.

use std::{fmt, io, net, sync::Arc, time::Duration};

use anyhow::Context as _;
use lifecycle::ListenAddress;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::{
    listener::{
        accept_queue,
        unix_socket::{Bound, CLIENTS_ON_THEIR_WAY, UnixSocket},
    },
    listener_address::ListenerAddress,
    peer::Peer,
    transport::socket::Socket,
};

/// A bound socket for a worker
pub(crate) enum Unserved {
    /// Each worker has its own (`SO_REUSEPORT`).
    Tcp(net::TcpListener),
    /// All workers share one, because the system has no other way to share its file. This is a
    /// share.
    Unix(UnixSocket, Arc<Bound>),
}

/// A socket that a worker accepts from
pub(crate) enum Listening {
    Tcp(TcpListener),
    /// The share is there until this worker lets no more clients come.
    Unix(UnixListener, UnixSocket, Option<Arc<Bound>>),
}

/// Where a socket was bound, and is bound again after it was closed
pub(crate) enum Place {
    Tcp(ListenAddress),
    Unix(UnixSocket),
}

impl Unserved {
    /// Sockets at this address for all workers; an error (69) names the address.
    pub(crate) async fn bind(address: &ListenerAddress, workers: usize) -> anyhow::Result<Vec<Self>> {
        let mut sockets = Vec::new();
        match address {
            ListenerAddress::Tcp(address) => {
                let mut address = *address;
                for _ in 0..workers {
                    let socket = lifecycle::bind_shared(address, "--listen")?;
                    // Of port 0, the system chose one for the first worker.
                    address.port = socket.local_addr().context("a socket without an address")?.port();
                    sockets.push(Self::Tcp(socket));
                }
            }
            ListenerAddress::Unix(address) => {
                let (socket, bound) = UnixSocket::bind(address).await?;
                sockets.extend((0..workers).map(|_| Self::Unix(socket.clone(), bound.clone())));
            }
        }
        Ok(sockets)
    }

    /// The file's socket, whose mode a reload may change
    pub(crate) fn unix(&self) -> Option<&UnixSocket> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(socket, _) => Some(socket),
        }
    }

    /// Where it is bound
    pub(crate) fn place(&self) -> io::Result<Place> {
        match self {
            Self::Tcp(socket) => {
                let address = socket.local_addr()?;
                Ok(Place::Tcp(ListenAddress { ip: Some(address.ip()), port: address.port() }))
            }
            Self::Unix(socket, _) => Ok(Place::Unix(socket.clone())),
        }
    }

    /// Closes a socket that no worker serves.
    pub(crate) async fn close(self) {
        if let Self::Unix(socket, share) = self {
            socket.give_back(share).await;
        }
    }

    /// Begins to accept in this worker.
    pub(crate) fn serve(self) -> io::Result<Listening> {
        match self {
            Self::Tcp(socket) => TcpListener::from_std(socket).map(Listening::Tcp),
            Self::Unix(socket, share) => Listening::of(socket, share),
        }
    }
}

impl Place {
    /// Binds it again, or takes the socket that another worker has bound there.
    pub(crate) async fn listen(&self) -> anyhow::Result<Listening> {
        match self {
            Self::Tcp(address) => Unserved::Tcp(lifecycle::bind_shared(*address, "--listen")?).serve(),
            Self::Unix(socket) => Listening::of(socket.clone(), socket.open().await?),
        }
        .context("cannot serve a socket")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(socket) => write!(f, "unix://{}", socket.path().display()),
        }
    }
}

impl Listening {
    fn of(socket: UnixSocket, share: Arc<Bound>) -> io::Result<Self> {
        Ok(Self::Unix(UnixListener::from_std(share.listener()?)?, socket, Some(share)))
    }

    /// The next connection, with its client
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tcp(stream), peer.ip().into()))
            }
            Self::Unix(listener, ..) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), Peer::Unix))
            }
        }
    }

    /// Lets no more clients come to this worker, but for those whose connections have begun. A Unix
    /// socket takes clients for as long as another worker serves it.
    pub(crate) async fn begin_no_more(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => accept_queue::begin_no_more(listener)?,
            Self::Unix(_, socket, share) => {
                if let Some(share) = share.take() {
                    socket.give_back(share).await;
                }
            }
        }
        Ok(())
    }

    /// The time for connections that have begun
    pub(crate) fn handshakes(&self) -> Duration {
        match self {
            Self::Tcp(_) => accept_queue::HANDSHAKES,
            Self::Unix(..) => CLIENTS_ON_THEIR_WAY,
        }
    }

    /// Accepts those that wait, also where the runtime does not know of them yet, and closes.
    pub(crate) fn close(self, mut admit: impl FnMut(Socket, Peer)) {
        match self {
            Self::Tcp(listener) => {
                let Ok(listener) = listener.into_std() else { return };
                while let Ok((stream, peer)) = listener.accept() {
                    if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                        admit(Socket::Tcp(stream), peer.ip().into());
                    }
                }
            }
            Self::Unix(listener, ..) => {
                let Ok(listener) = listener.into_std() else { return };
                while let Ok((stream, _)) = listener.accept() {
                    if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream)) {
                        admit(Socket::Unix(stream), Peer::Unix);
                    }
                }
            }
        }
    }
}
