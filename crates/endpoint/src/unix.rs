//! Connections to Unix sockets. connect(2) walks the path, which hangs where the server of a mount
//! is gone, so that happens on a thread of its own.

use std::{fs, io, path::Path, time::Duration};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;

/// The limit for a walk; the deadline of the connection or of the request comes earlier.
const WALK_LIMIT: Duration = Duration::from_secs(600);

/// Connects to the socket at `path`. A queue that is full is an error at once (`WouldBlock`). The
/// caller sets the deadline by dropping the future.
pub async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    let walked = path.to_owned();
    let connected = lifecycle::on_volume_in_turn(path, WALK_LIMIT, move || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(walked)?)?;
        Ok::<_, io::Error>(socket)
    });
    UnixStream::from_std(connected.await??.into())
}

/// Walks the path for a library that connects by itself.
pub(crate) async fn walk(path: &Path) -> io::Result<()> {
    let walked = path.to_owned();
    lifecycle::on_volume_in_turn(path, WALK_LIMIT, move || fs::metadata(walked)).await??;
    Ok(())
}
