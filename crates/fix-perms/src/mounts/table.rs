//! The mounts of this process, as the kernel lists them (`proc_pid_mountinfo(5)`).

use std::{fs, io, os::unix::ffi::OsStrExt};

use rustix::fd::{AsFd, AsRawFd};

const TABLE: &str = "/proc/self/mountinfo";

/// A mount below a root, by its bytes in the table
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    path: Vec<u8>,
    /// By itself or as a whole
    pub(crate) is_read_only: bool,
}

/// Whether something is mounted on this mount.
pub(crate) fn has_mounts(mount: u64) -> bool {
    let table = fs::read(TABLE).unwrap_or_default();
    let mount = mount.to_string();
    lines(&table).any(|line| line.split(|byte| *byte == b' ').nth(1) == Some(mount.as_bytes()))
}

/// Whether a mount is read-only, by itself or as a whole.
pub(crate) fn is_read_only_by_table(mount: u64) -> bool {
    let (table, mount) = (fs::read(TABLE).unwrap_or_default(), mount.to_string());
    let is_it = |line: &&[u8]| line.split(|byte| *byte == b' ').next() == Some(mount.as_bytes());
    lines(&table).find(is_it).and_then(|line| place(line, b"/")).is_some_and(|place| place.is_read_only)
}

/// The mounts below an open directory, in order.
pub(crate) fn below(root: impl AsFd) -> io::Result<Vec<Place>> {
    let root = fs::read_link(format!("/proc/self/fd/{}", root.as_fd().as_raw_fd()))?;
    let root = escaped(root.as_os_str().as_bytes());
    let table = fs::read(TABLE)?;
    let mut places: Vec<_> = lines(&table).filter_map(|line| place(line, &root)).collect();
    places.sort_unstable();
    Ok(places)
}

fn lines(table: &[u8]) -> impl Iterator<Item = &[u8]> {
    table.split(|byte| *byte == b'\n')
}

/// The place of a line's mount, if it is below the root.
fn place(line: &[u8], root: &[u8]) -> Option<Place> {
    let mut fields = line.split(|byte| *byte == b' ');
    let path = fields.nth(4)?.strip_prefix(root.strip_suffix(b"/").unwrap_or(root))?.strip_prefix(b"/")?;
    let is_read_only = |options: &[u8]| options.split(|byte| *byte == b',').any(|option| option == b"ro");
    let options = fields.next()?;
    // Optional fields end in a dash. Behind it are the type, the source and the options as a whole.
    let whole = fields.skip_while(|field| field != b"-").nth(3)?;
    Some(Place { path: path.to_vec(), is_read_only: is_read_only(options) || is_read_only(whole) })
}

/// A path as the table writes it: blanks, line ends and backslashes in octal.
fn escaped(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in path {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => text.extend(format!("\\{byte:03o}").bytes()),
            byte => text.push(*byte),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_below_a_root_are_found() {
        let below = |line: &str| place(line.as_bytes(), b"/data").map(|place| (place.path, place.is_read_only));
        let found = |path: &str, is_read_only| Some((path.as_bytes().to_vec(), is_read_only));
        assert_eq!(below("36 35 98:0 /m /data/a\\040b ro,noatime - ext4 /dev/sda rw"), found("a\\040b", true));
        assert_eq!(below("36 35 98:0 / /data/c rw shared:1 - ext4 /dev/sda ro,errors=continue"), found("c", true));
        assert_eq!(below("36 35 98:0 / /data/c rw - ext4 /dev/sda rw"), found("c", false));
        for other in
            ["36 35 98:0 / /data ro - ext4 /dev/sda ro", "36 35 98:0 / /database/x ro - ext4 /dev/sda ro", "no mount"]
        {
            assert_eq!(below(other), None, "{other}");
        }
        assert_eq!(place(b"1 2 3:4 / /\xff/x rw - tmpfs none rw", b"/\xff").unwrap().path, b"x");
        assert_eq!(place(b"1 2 3:4 / /x rw - tmpfs none rw", b"/").unwrap().path, b"x");
        assert_eq!(escaped(b"/a b\\c\n"), b"/a\\040b\\134c\\012");
    }
}
