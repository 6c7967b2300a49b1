//! The directories in which a path can come to lead to another file.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

/// The kernel follows no more links than this.
const MOST_LINKS: usize = 40;

/// The directory of a file, and those with a link on the way to it; each behind all links
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places(BTreeMap<PathBuf, Option<Identity>>);

/// A directory among those that have its path at one time or another
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    /// An inode is used again.
    born: Option<SystemTime>,
}

impl Places {
    /// Follows a path as the kernel does. The file, and directories above it, need not exist.
    pub(super) fn of(path: &Path) -> Self {
        let mut places = Self::default();
        let mut place = PathBuf::from(".");
        // The last part comes first.
        let mut rest = parts(path);
        let mut links = 0;
        while let Some(part) = rest.pop() {
            let next = place.join(&part);
            match next.read_link() {
                Ok(target) if links < MOST_LINKS => {
                    links += 1;
                    places.add(&place);
                    rest.extend(parts(&target));
                }
                _ if rest.is_empty() => places.add(&place),
                _ => place = next,
            }
        }
        places
    }

    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    fn add(&mut self, directory: &Path) {
        let metadata = directory.metadata().ok();
        let identity =
            metadata.map(|found| Identity { device: found.dev(), inode: found.ino(), born: found.created().ok() });
        self.0.insert(directory.to_owned(), identity);
    }
}

/// The parts of a path, the last one first. A root is a part that leads there from anywhere.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.rev().map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn each_directory_with_a_link_on_the_way_is_a_place() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let of = |path: &str| {
            let places = Places::of(&root.join(path));
            let below = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
            places.directories().map(below).collect::<Vec<_>>()
        };
        fs::create_dir_all(root.join("git/trees/1/conf")).unwrap();
        fs::create_dir(root.join("etc")).unwrap();
        symlink("trees/1", root.join("git/head")).unwrap();
        symlink(root.join("git/head/conf/c.yaml"), root.join("etc/c.yaml")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(of("git/trees/1/conf/c.yaml"), ["git/trees/1/conf"]);
        assert_eq!(of("git/head/conf/c.yaml"), ["git", "git/trees/1/conf"]);
        assert_eq!(of("etc/c.yaml"), ["etc", "git", "git/trees/1/conf"]);
        assert_eq!(of("none/./c.yaml"), ["none"]);
        assert_eq!(of("loop"), [""]);
    }

    #[test]
    fn a_directory_that_was_made_again_is_another_place() {
        let root = tempfile::tempdir().unwrap();
        let (directory, path) = (root.path().join("a"), root.path().join("a/c.yaml"));
        fs::create_dir(&directory).unwrap();
        let first = Places::of(&path);
        assert_eq!(Places::of(&path), first);
        fs::remove_dir(&directory).unwrap();
        assert_ne!(Places::of(&path), first);
        fs::create_dir(&directory).unwrap();
        assert_ne!(Places::of(&path), first);
        assert_eq!(Places::of(Path::new("c.yaml")).directories().collect::<Vec<_>>(), [Path::new(".")]);
    }
}
