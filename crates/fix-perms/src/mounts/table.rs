//! The mounts of this process, as the kernel lists them (`proc_pid_mountinfo(5)`).

use std::{fmt::Write, fs, os::unix::ffi::OsStrExt};

use rustix::fd::{AsFd, AsRawFd};

const TABLE: &str = "/proc/self/mountinfo";

/// Whether something is mounted on this mount.
pub(crate) fn has_mounts(mount: u64) -> bool {
    let table = fs::read_to_string(TABLE).unwrap_or_default();
    table.lines().any(|line| line.split(' ').nth(1).and_then(|below| below.parse().ok()) == Some(mount))
}

/// The places below an open directory where something is mounted read-only, as the table has them.
pub(crate) fn read_only_below(root: impl AsFd) -> Vec<String> {
    let link = format!("/proc/self/fd/{}", root.as_fd().as_raw_fd());
    let root = fs::read_link(link).map(|path| escaped(path.as_os_str().as_bytes())).unwrap_or_default();
    let table = fs::read_to_string(TABLE).unwrap_or_default();
    let mut places: Vec<_> = table.lines().filter_map(|line| read_only_place(line, &root)).collect();
    places.sort_unstable();
    places
}

/// The place of a line's mount below the root, if it is read-only by itself or as a whole.
fn read_only_place(line: &str, root: &str) -> Option<String> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(4);
    let place = fields.next()?.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/')?;
    let is_read_only = |options: &str| options.split(',').any(|option| option == "ro");
    let has_it = is_read_only(fields.next()?) || file_system.split(' ').nth(2).is_some_and(is_read_only);
    has_it.then(|| place.to_owned())
}

/// A path as the table writes it: blanks, line ends and backslashes in octal.
fn escaped(path: &[u8]) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(path).chars() {
        match character {
            ' ' | '\t' | '\n' | '\\' => {
                let _ = write!(text, "\\{:03o}", u32::from(character));
            }
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_mounts_below_a_root_are_found() {
        let place = |line| read_only_place(line, "/data");
        assert_eq!(place("36 35 98:0 /m /data/a\\040b ro,noatime - ext4 /dev/sda rw"), Some("a\\040b".into()));
        assert_eq!(place("36 35 98:0 / /data/c rw shared:1 - ext4 /dev/sda ro,errors=continue"), Some("c".into()));
        for other in [
            "36 35 98:0 / /data/c rw - ext4 /dev/sda rw",
            "36 35 98:0 / /data ro - ext4 /dev/sda ro",
            "36 35 98:0 / /database/x ro - ext4 /dev/sda ro",
            "no mount",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
        assert_eq!(escaped(b"/a b\\c\n"), "/a\\040b\\134c\\012");
    }
}
