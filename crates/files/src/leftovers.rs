//! Temporary files of a process that was killed before it could rename or remove them.

use std::{fs::File, io};

use rustix::{
    fs::{AtFlags, Dir, FileType, statat, unlinkat},
    io::Errno,
    process::geteuid,
};

/// Leftovers that one call removes. A killed process leaves one, so more than this were made by another process; the next
/// call removes the rest.
const LIMIT: usize = 1000;
/// The end of a temporary name
const SUFFIX: &str = ".tmp";

/// The temporary name of a target: hidden from patterns such as `*.json`, and recognisable by the target's name.
pub(crate) fn temporary_name(target: &str, random: u64) -> String {
    format!(".{target}.{random:016x}{SUFFIX}")
}

/// Whether this is a temporary name of the target.
fn is_temporary_name(name: &str, target: &str) -> bool {
    let rest = name.strip_prefix('.').and_then(|rest| rest.strip_prefix(target));
    let random = rest.and_then(|rest| rest.strip_prefix('.')).and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Removes the temporary files of `target` and returns their number. Only regular files and empty directories of this
/// process's own user go, and only their names: a link is neither followed nor removed.
pub(crate) fn remove(directory: &File, target: &str) -> io::Result<usize> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if names.len() < LIMIT && entry.file_name().to_str().is_ok_and(|name| is_temporary_name(name, target)) {
            names.push(entry.file_name().to_owned());
        }
    }
    let mut removed = 0;
    for name in names {
        let stat = match statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            stat => stat?,
        };
        let flags = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => AtFlags::empty(),
            FileType::Directory => AtFlags::REMOVEDIR,
            _ => continue,
        };
        if stat.st_uid == geteuid().as_raw() {
            match unlinkat(directory, &name, flags) {
                Ok(()) => removed += 1,
                Err(Errno::NOENT | Errno::NOTEMPTY) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_names_of_the_target_are_recognised() {
        let name = temporary_name("state.json", 0xAB);
        assert_eq!(name, ".state.json.00000000000000ab.tmp");
        assert!(is_temporary_name(&name, "state.json"));
        for other in ["state.json", ".state.json.tmp", ".state.json.00000000000000ag.tmp", ".state.json.ab.tmp"] {
            assert!(!is_temporary_name(other, "state.json"), "{other}");
        }
        assert!(!is_temporary_name(&name, "state"));
        assert!(!is_temporary_name(&name, "other.json"));
    }
}
