//! The directories that collectors read, and the bounded reading of the kernel's small files.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The most bytes that are read of a file; the rest is cut off. `/proc/PID/mountinfo` with a thousand mounts fits.
const FILE_LIMIT: u64 = 1024 * 1024;
/// The first size of the buffer. Most files of the kernel fit, so one read gets them and a second one finds the end.
const FIRST_BYTES: usize = 16 * 1024;

/// The directories that stand for `/proc` and `/sys`
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    pub(crate) proc: PathBuf,
    pub(crate) sys: PathBuf,
}

impl Roots {
    /// Both below one directory: `/`, or that of `--root`.
    pub(crate) fn under(root: &Path) -> Self {
        Self { proc: root.join("proc"), sys: root.join("sys") }
    }
}

/// Reads a file to its end or to 1 MiB as text. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read_bytes(path)?);
    Ok(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Reads a file to its end or to 1 MiB.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FIRST_BYTES);
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_content_is_read_to_its_bound() {
        let endless = read(Path::new("/dev/zero")).unwrap();
        assert_eq!(endless.len(), 1024 * 1024);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd");
        std::fs::write(&path, b"a\xff").unwrap();
        assert_eq!(read(&path).unwrap(), "a\u{fffd}");
        assert_eq!(read(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
