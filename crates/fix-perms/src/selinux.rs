//! SELinux labels of entries, as the kernel keeps them.

use std::{
    fs::File,
    io::{BufRead, BufReader},
};

use rustix::{
    fd::{AsFd, AsRawFd},
    fs::{XattrFlags, getxattr, setxattr},
    io::{self, Errno},
};

use crate::wanted::label::Label;

const ATTRIBUTE: &str = "security.selinux";
/// The bytes of one page, which is all that the kernel gives out
const ATTRIBUTE_LIMIT: usize = 4096;
/// The kernel lists the file system of SELinux here when SELinux was not turned off at boot
/// (`security/selinux/selinuxfs.c`).
const FILE_SYSTEMS: &str = "/proc/filesystems";

/// Whether the kernel has SELinux. Without it a label has no effect, and only `CAP_SYS_ADMIN` could
/// set one.
pub(crate) fn is_in_kernel() -> bool {
    // Without /proc no label can be set, and that failure says so.
    let Ok(file) = File::open(FILE_SYSTEMS) else { return true };
    let mut lines = BufReader::new(file).lines().map_while(Result::ok);
    lines.any(|line| line.split_whitespace().next_back() == Some("selinuxfs"))
}

/// The label of an open or pinned entry; `None` if it has none of the usual shape.
pub(crate) fn read(entry: impl AsFd) -> io::Result<Option<Label>> {
    let mut bytes = [0; ATTRIBUTE_LIMIT];
    match getxattr(held(entry), ATTRIBUTE, &mut bytes) {
        Ok(length) => Ok(Label::of_attribute(&bytes[..length])),
        Err(Errno::NODATA | Errno::RANGE) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn write(entry: impl AsFd, label: &Label) -> io::Result<()> {
    setxattr(held(entry), ATTRIBUTE, &label.attribute(), XattrFlags::empty())
}

/// fsetxattr(2) refuses a descriptor that was opened with `O_PATH`. This link leads to the entry of
/// the descriptor and nowhere else: to a symbolic link itself, too.
fn held(entry: impl AsFd) -> String {
    format!("/proc/self/fd/{}", entry.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_label_has_none() {
        let file = tempfile::tempfile().unwrap();
        assert!(is_in_kernel() || matches!(read(&file), Ok(None) | Err(Errno::OPNOTSUPP)));
    }
}
