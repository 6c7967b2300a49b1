//! Small files, read whole and never without a bound.

use std::{
    fs::{File, FileType, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use nix::libc::{O_NOCTTY, O_NONBLOCK};

/// Reads a file of at most `limit` bytes. The bytes are counted while they are read, because files
/// of `/proc` report a size of zero. A FIFO, a socket or a device is refused, because reading it
/// could wait or go on for ever.
pub fn read(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read_bytes(path, limit)?).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// The same, for content that need not be UTF-8.
pub fn read_bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Whether a file could be read: its first byte can.
pub(crate) fn try_read(path: &Path) -> io::Result<()> {
    open(path)?.read(&mut [0]).map(drop)
}

/// Checks the type before and after the opening: before it, because opening a socket fails with an
/// unhelpful error; after it, because the path may lead to another file by then.
fn open(path: &Path) -> io::Result<File> {
    refuse_endless(path.metadata()?.file_type())?;
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path)?;
    refuse_endless(file.metadata()?.file_type())?;
    Ok(file)
}

/// A directory passes, because the system's own error for reading one is clear.
fn refuse_endless(kind: FileType) -> io::Result<()> {
    let name = match kind {
        kind if kind.is_fifo() => "FIFO",
        kind if kind.is_socket() => "socket",
        kind if kind.is_char_device() || kind.is_block_device() => "device",
        _ => return Ok(()),
    };
    Err(io::Error::other(format!("it is a {name}, not a regular file")))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, process::Command};

    use super::*;

    fn refusal(path: &Path) -> String {
        read(path, 9).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, socket) = (directory.path().join("fifo"), directory.path().join("socket"));
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(refusal(&fifo), "it is a FIFO, not a regular file");
        assert_eq!(refusal(&socket), "it is a socket, not a regular file");
        assert_eq!(refusal(Path::new("/dev/zero")), "it is a device, not a regular file");
        assert!(refusal(directory.path()).starts_with("Is a directory"));
    }

    #[test]
    fn a_file_that_hides_its_size_is_read_and_bounded() {
        assert_eq!(read(Path::new("/proc/self/comm"), 99).unwrap().lines().count(), 1);
        assert_eq!(refusal(Path::new("/proc/self/maps")), "it has more than 9 bytes");
    }
}
