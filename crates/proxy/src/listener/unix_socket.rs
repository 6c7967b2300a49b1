//! A Unix socket that all workers accept from, and its file: made with its mode, in place of one that no process serves any more, and
//! removed before the last worker closes the socket, so that no client is reset.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use lifecycle::Exit;
use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::listener_address::UnixAddress;

/// Connections that wait to be accepted; the system's own bound (`net.core.somaxconn`) may be lower.
const BACKLOG: i32 = 1024;
/// The time between the end of the file and that of the socket: a client may have found the file, and not the socket yet. That takes
/// microseconds, unless the client has lost the CPU in between.
pub(super) const CLIENTS_ON_THEIR_WAY: Duration = Duration::from_millis(50);
/// A volume that has not answered for this long does not answer at all.
const VOLUME_LIMIT: Duration = Duration::from_secs(10);
/// How often to try for the lock on the directory, and the pause before each next attempt. A process that keeps the lock for longer
/// is none that starts, for example a token-refresher that writes there.
const LOCK_ATTEMPTS: usize = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// A listener's socket, for all workers
#[derive(Clone)]
pub(crate) struct UnixSocket(Arc<Shared>);

struct Shared {
    path: PathBuf,
    /// The mode of the file, and what is bound there now
    state: Mutex<State>,
}

struct State {
    mode: u32,
    bound: Weak<Bound>,
}

/// A socket that is bound. Each worker that accepts from it has a share of it, and its file goes
/// with the last share.
pub(crate) struct Bound {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file, because another process may have put its own there
    file: (u64, u64),
}

impl UnixSocket {
    /// Takes the address. One that a process serves, or a file that is no socket, is an error (69) that names it.
    pub(crate) async fn bind(address: &UnixAddress) -> anyhow::Result<(Self, Arc<Bound>)> {
        let UnixAddress { path, mode } = address.clone();
        let state = Mutex::new(State { mode, bound: Weak::new() });
        let socket = Self(Arc::new(Shared { path, state }));
        let bound = socket.open().await?;
        Ok((socket, bound))
    }

    /// A share of the bound socket, which is bound again if all workers have closed it.
    pub(crate) async fn open(&self) -> anyhow::Result<Arc<Bound>> {
        let shared = self.0.clone();
        // The workers ask for it at the same time, and each waits for the one that makes it.
        let opened = lifecycle::on_volume_in_turn(&self.0.path, VOLUME_LIMIT, move || {
            let mut state = shared.lock();
            if let Some(bound) = state.bound.upgrade() {
                return Ok(bound);
            }
            let bound = Arc::new(bind(&shared.path, state.mode)?);
            state.bound = Arc::downgrade(&bound);
            Ok(bound)
        });
        opened.await.and_then(|opened: io::Result<_>| opened).map_err(|error| {
            let reason = match error.kind() {
                io::ErrorKind::AddrInUse => "address in use: a process serves it".to_owned(),
                io::ErrorKind::NotFound => format!("{error}: make the directory, or mount it"),
                io::ErrorKind::PermissionDenied => format!("{error}: proxy must be able to write in the directory"),
                _ => error.to_string(),
            };
            Exit::Unavailable.because(format!("cannot bind unix://{}: {reason}", self.0.path.display()))
        })
    }

    /// Gives the file another mode.
    pub(crate) async fn set_mode(&self, mode: u32) -> anyhow::Result<()> {
        let shared = self.0.clone();
        let set = move || {
            let mut state = shared.lock();
            if state.mode == mode {
                return Ok(());
            }
            state.mode = mode;
            let Some(_bound) = state.bound.upgrade() else { return Ok(()) };
            fs::set_permissions(&shared.path, Permissions::from_mode(mode))
        };
        let set = lifecycle::on_volume_in_turn(&self.0.path, VOLUME_LIMIT, set).await.and_then(|set| set);
        set.with_context(|| format!("cannot change the mode of {}", self.0.path.display()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Gives a worker's share back. With the last one, the file is removed and no more connections
    /// come; those that wait can still be accepted.
    pub(crate) async fn give_back(&self, share: Arc<Bound>) {
        if let Err(error) = lifecycle::on_volume_in_turn(&self.0.path, VOLUME_LIMIT, move || drop(share)).await {
            tracing::warn!(%error, path = %self.0.path.display(), "cannot remove the socket");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bound {
    /// The same socket for one worker
    pub(crate) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for Bound {
    /// Removes the file, so that clients find no socket, or a successor's.
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.file)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the socket");
        }
    }
}

/// Binds and listens; also where a process that was killed has left its socket.
fn bind(path: &Path, mode: u32) -> io::Result<Bound> {
    // Of two processes that start at once, the second must not remove the first one's socket.
    let _lock = path.parent().and_then(lock);
    let bound = match bind_at(path, mode) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            bind_at(path, mode)
        }
        bound => bound,
    };
    let listener = bound?;
    let file = fs::symlink_metadata(path)?;
    Ok(Bound { listener, path: path.into(), file: (file.dev(), file.ino()) })
}

fn bind_at(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before it listens no client can connect, also with an open umask.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Locks the directory, if that can be done soon.
fn lock(directory: &Path) -> Option<File> {
    let directory = File::open(directory).ok()?;
    for _ in 0..LOCK_ATTEMPTS {
        if flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Some(directory);
        }
        thread::sleep(LOCK_PAUSE);
    }
    None
}

/// Removes a socket that no process listens on. `AddrInUse` says that one does.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::other("a file that is no socket is there: remove it"));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A queue that is full would make it wait.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::net::UnixStream};

    use tempfile::TempDir;

    use super::*;

    fn address(mode: u32) -> (TempDir, UnixAddress) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.sock");
        (directory, UnixAddress { path, mode })
    }

    fn mode_of(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_goes_when_it_closes() {
        let (_directory, address) = address(0o666);
        let (socket, bound) = UnixSocket::bind(&address).await.unwrap();
        assert_eq!(mode_of(&address.path), 0o666);
        socket.set_mode(0o600).await.unwrap();
        assert_eq!(mode_of(&address.path), 0o600);
        let listener = bound.listener().unwrap();
        let mut client = UnixStream::connect(&address.path).unwrap();
        socket.give_back(bound).await;
        assert!(!address.path.exists() && UnixStream::connect(&address.path).is_err());
        // The client that waits is accepted, and then no other.
        assert!(listener.accept().is_ok() && listener.accept().is_err());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let again = socket.open().await.unwrap();
        assert_eq!(mode_of(&address.path), 0o600);
        drop((socket, again));
        assert!(!address.path.exists());
    }

    #[tokio::test]
    async fn a_worker_that_opens_it_again_gets_the_socket_of_the_others() {
        let (_directory, address) = address(0o660);
        let (socket, first) = UnixSocket::bind(&address).await.unwrap();
        let second = socket.open().await.unwrap();
        socket.give_back(first).await;
        let first = socket.open().await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        socket.give_back(second).await;
        assert!(UnixStream::connect(&address.path).is_ok());
        socket.give_back(first).await;
        assert!(!address.path.exists());
    }

    #[tokio::test]
    async fn only_a_socket_that_nobody_serves_is_replaced() {
        let (_directory, address) = address(0o660);
        // Closing leaves the file.
        drop(UnixListener::bind(&address.path).unwrap());
        let first = UnixSocket::bind(&address).await.unwrap();
        let error = UnixSocket::bind(&address).await.err().unwrap().to_string();
        assert!(error.ends_with("p.sock: address in use: a process serves it"), "{error}");
        // Another process has taken its place by force: its file stays.
        fs::remove_file(&address.path).unwrap();
        let _other = UnixListener::bind(&address.path).unwrap();
        drop(first);
        assert!(address.path.exists());
        fs::remove_file(&address.path).unwrap();
        fs::write(&address.path, "precious").unwrap();
        let error = UnixSocket::bind(&address).await.err().unwrap().to_string();
        assert!(error.ends_with("a file that is no socket is there: remove it"), "{error}");
        assert_eq!(fs::read(&address.path).unwrap(), b"precious");
        let nowhere = UnixAddress { path: "/nowhere/p.sock".into(), mode: 0o660 };
        let error = UnixSocket::bind(&nowhere).await.err().unwrap().to_string();
        assert!(error.contains("make the directory, or mount it"), "{error}");
    }

    #[test]
    fn of_many_that_find_a_stale_socket_one_gets_the_place() {
        let (_directory, address) = address(0o660);
        drop(UnixListener::bind(&address.path).unwrap());
        let start = Arc::new(std::sync::Barrier::new(8));
        let starting: Vec<_> = (0..8)
            .map(|_| {
                let (start, path) = (start.clone(), address.path.clone());
                thread::spawn(move || {
                    start.wait();
                    bind(&path, 0o660)
                })
            })
            .collect();
        let bound: Vec<_> = starting.into_iter().filter_map(|one| one.join().unwrap().ok()).collect();
        assert_eq!(bound.len(), 1);
        assert!(UnixStream::connect(&address.path).is_ok());
    }
}
