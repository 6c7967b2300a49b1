//! Opens files in directories where an app may put anything at any moment.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::{fs::OFlags, process::geteuid};

/// Opens a regular file to read it.
///
/// The look that found the file may be out of date. The opening of a FIFO waits for a writer unless `O_NONBLOCK` is given
/// (fifo(7)), so the open file is judged. On a regular file the flag changes nothing.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(flags(OFlags::NONBLOCK | OFlags::NOCTTY)).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Opens a file to append to it, and makes it when it is missing.
///
/// A symbolic link is followed when this process's own user or root has made it, such as `/dev/stdout`. An app that may write
/// to the directory could make another one lead to any file that only this process may write; the kernel has the same rule for
/// sticky directories (`fs.protected_symlinks` in `proc_sys_fs(5)`).
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    match options.clone().custom_flags(flags(OFlags::NOFOLLOW | OFlags::NOCTTY)).open(path) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {}
        opened => return opened,
    }
    let owner = path.symlink_metadata()?.uid();
    if owner == 0 || owner == geteuid().as_raw() {
        return options.custom_flags(flags(OFlags::NOCTTY)).open(path);
    }
    let message = format!("it is a symbolic link that user {owner} has made, and could lead anywhere: name its target");
    Err(io::Error::other(message))
}

/// Flags as std takes them
fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{lchown, symlink},
        process::Command,
    };

    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_a_fifo_keeps_nobody_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let (file, fifo) = (directory.path().join("file"), directory.path().join("fifo"));
        fs::write(&file, "line\n").unwrap();
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(open_to_read(&file).is_ok());
        for path in [&fifo, directory.path()] {
            assert_eq!(open_to_read(path).unwrap_err().to_string(), "it is not a regular file");
        }
        assert_eq!(open_to_read(&directory.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_link_is_followed_when_its_maker_could_write_the_target_anyway() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        symlink(&target, &link).unwrap();
        assert!(open_to_append(&link).is_ok());
        assert!(target.exists());
        assert!(open_to_append(Path::new("/dev/stdout")).is_ok());
        if harness::is_root() {
            fs::remove_file(&target).unwrap();
            lchown(&link, Some(1000), None).unwrap();
            let refusal = open_to_append(&link).unwrap_err().to_string();
            assert!(refusal.starts_with("it is a symbolic link that user 1000 has made"), "{refusal}");
            assert!(!target.exists());
        }
    }
}
