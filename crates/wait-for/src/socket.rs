//! Connections to UNIX sockets.

use std::{fs, io, path::Path, time::Duration};

use tokio::net::UnixStream;

/// The attempt's own deadline comes earlier.
const LIMIT: Duration = Duration::from_secs(600);

/// Connects to the socket at `path`. connect(2) walks the path, which hangs where the server of a mount is gone, so a thread
/// of its own walks it first.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    let looked_at = path.to_owned();
    lifecycle::on_volume_in_turn(path, LIMIT, move || fs::metadata(looked_at)).await??;
    UnixStream::connect(path).await
}
