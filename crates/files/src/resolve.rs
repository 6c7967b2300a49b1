//! The way to a directory: component by component, past links that another user may have put there.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, open, openat, readlinkat},
    io::Errno,
    process::geteuid,
};

use crate::directory::Directory;

/// As in the kernel (`path_resolution(7)`)
const LINK_LIMIT: usize = 40;
/// A directory that is passed needs no permission to read it.
const PASS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const READ: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens the directory at an absolute path, and makes those that are missing when `mode` is given.
///
/// A symbolic link on the way is followed only in a directory that root or this process's user owns and nobody else may write to;
/// any other is refused. The result may still be a directory that another user made: look at its [`Directory::metadata`] before
/// writing a secret.
pub fn resolve(path: &Path, mode: Option<u32>) -> io::Result<Directory> {
    if !path.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not absolute"));
    }
    let mut at = open("/", PASS, Mode::empty())?;
    let mut rest = components(path)?;
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        at = match openat(&at, name.as_os_str(), PASS, Mode::empty()) {
            Ok(next) => next,
            Err(Errno::NOENT) if mode.is_some() => make(&at, &name, mode.unwrap_or_default())?,
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let target = link(&at, &name)?;
                links += 1;
                if links > LINK_LIMIT {
                    return Err(Errno::LOOP.into());
                }
                if target.has_root() {
                    at = open("/", PASS, Mode::empty())?;
                }
                for component in components(&target)?.into_iter().rev() {
                    rest.push_front(component);
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(Directory::from(File::from(openat(&at, ".", READ, Mode::empty())?)))
}

fn components(path: &Path) -> io::Result<VecDeque<OsString>> {
    let mut names = VecDeque::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push_back(name.to_owned()),
            Component::ParentDir => names.push_back("..".into()),
            Component::RootDir | Component::CurDir => {}
            Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}

fn make(parent: impl AsFd, name: &OsStr, mode: u32) -> io::Result<OwnedFd> {
    let name = name.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the name is not UTF-8"))?;
    let parent = Directory::from(File::from(openat(parent, ".", READ, Mode::empty())?));
    let child = parent.create_child(name, mode)?;
    Ok(openat(child.descriptor(), ".", PASS, Mode::empty())?)
}

/// The target of a link that can be trusted.
fn link(directory: &OwnedFd, name: &OsStr) -> io::Result<PathBuf> {
    let refused = |reason: &str| {
        let message = format!("{} {reason}", name.display());
        Err(io::Error::new(io::ErrorKind::NotADirectory, message))
    };
    let target = match readlinkat(directory, name, Vec::new()) {
        Ok(target) => OsStr::from_bytes(target.to_bytes()).into(),
        Err(Errno::INVAL) => return refused("is not a directory"),
        Err(error) => return Err(error.into()),
    };
    let metadata = File::from(directory.try_clone()?).metadata()?;
    let is_safe = [0, geteuid().as_raw()].contains(&metadata.uid()) && metadata.mode() & 0o022 == 0;
    if is_safe { Ok(target) } else { refused("is a symbolic link that another user may have put there") }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn missing_directories_are_made_with_their_mode() {
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path().join("a/b");
        assert_eq!(resolve(&path, None).unwrap_err().kind(), io::ErrorKind::NotFound);
        resolve(&path, Some(0o755)).unwrap().write("x", b"", crate::Permissions::mode(0o600)).unwrap();
        for made in [&path, path.parent().unwrap()] {
            assert_eq!(made.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
        }
        assert!(path.join("x").exists());
        assert_eq!(resolve(Path::new("tmp"), None).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_link_is_followed_only_where_no_other_user_may_write() {
        let volume = tempfile::tempdir().unwrap();
        let path = |name: &str| volume.path().join(name);
        fs::create_dir_all(path("real/inner")).unwrap();
        symlink("real", path("link")).unwrap();
        symlink(path("real/../link"), path("absolute")).unwrap();
        symlink("loop", path("loop")).unwrap();
        for name in ["link/inner", "absolute/inner"] {
            assert!(resolve(&path(name), None).is_ok(), "{name}");
        }
        assert_eq!(resolve(&path("loop"), None).unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        fs::write(path("file"), "").unwrap();
        assert_eq!(resolve(&path("file"), Some(0o755)).unwrap_err().to_string(), "file is not a directory");
        for mode in [0o1777, 0o777, 0o775] {
            fs::set_permissions(volume.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = resolve(&path("link/inner"), Some(0o755)).unwrap_err().to_string();
            assert_eq!(error, "link is a symbolic link that another user may have put there");
        }
    }
}
