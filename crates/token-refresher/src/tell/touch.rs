//! `touch`: an empty file whose modification time moves.

use std::{
    fs::{File, FileTimes, Metadata},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use files::Directory;
use rustix::{
    fs::{Mode, OFlags, fchmod, openat},
    io::Errno,
};

/// A volume that has not answered for this long does not answer at all.
const LIMIT: Duration = Duration::from_secs(10);
/// The app may run as any user and needs to see the file; there is nothing in it.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP).union(Mode::ROTH);
/// Steps by which the time moves at least: file systems keep it in units from a nanosecond to two seconds.
const STEPS: [Duration; 3] = [Duration::from_millis(1), Duration::from_secs(1), Duration::from_secs(2)];

/// The file
#[derive(Clone, Debug)]
pub(crate) struct TouchTell {
    pub(super) path: PathBuf,
}

impl TouchTell {
    /// Creates the file or moves its time.
    pub(super) async fn tell(&self) -> Result<(), String> {
        let path = self.path.clone();
        let touched = lifecycle::on_volume_in_turn(&self.path, LIMIT, move || touch(&path, SystemTime::now())).await;
        touched.and_then(|touched| touched).map_err(|error| format!("cannot touch {}: {error}", self.path.display()))
    }
}

/// Creates the file or moves its time forward, also where the clock went back or two touches follow each other at once. A link
/// is refused, because it could lead to any file of ours.
fn touch(path: &Path, now: SystemTime) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a file needs a name"));
    };
    // A link on the way, that another user may have put there, is refused as well.
    let directory = files::resolve(directory, None)?;
    let (file, is_new) = open(&directory, name)?;
    let before = file.metadata()?;
    if !before.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if is_new {
        fchmod(&file, MODE)?;
        return Ok(());
    }
    move_time(&file, &before, now)
}

/// Opens the file, and says whether it is new.
fn open(directory: &Directory, name: &std::ffi::OsStr) -> io::Result<(File, bool)> {
    // A FIFO without a reader would keep the opening waiting.
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat(directory, name, flags | OFlags::CREATE | OFlags::EXCL, MODE) {
        Ok(file) => return Ok((file.into(), true)),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    match openat(directory, name, flags, Mode::empty()) {
        Ok(file) => Ok((file.into(), false)),
        Err(Errno::LOOP) => Err(io::Error::other("it is a symbolic link")),
        Err(error) => Err(error.into()),
    }
}

fn move_time(file: &File, before: &Metadata, now: SystemTime) -> io::Result<()> {
    let old = before.modified()?;
    for step in STEPS {
        file.set_times(FileTimes::new().set_modified(now.max(old + step)))?;
        if file.metadata()?.modified()? > old {
            return Ok(());
        }
    }
    Err(io::Error::other("the file system does not keep its time"))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn modified(path: &Path) -> SystemTime {
        fs::metadata(path).unwrap().modified().unwrap()
    }

    #[tokio::test]
    async fn a_file_is_created_for_all_to_see_and_its_time_moves_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("changed");
        let tell = TouchTell { path: path.clone() };
        tell.tell().await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        for _ in 0..10 {
            let before = modified(&path);
            tell.tell().await.unwrap();
            assert!(modified(&path) > before);
        }
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_clock_that_went_back_moves_it_forward() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("changed");
        let now = SystemTime::now();
        fs::write(&path, "content of the app's own").unwrap();
        touch(&path, now + Duration::from_secs(60)).unwrap();
        let before = modified(&path);
        touch(&path, now).unwrap();
        assert!(modified(&path) > before);
        assert_eq!(fs::read(&path).unwrap(), b"content of the app's own");
    }

    #[tokio::test]
    async fn a_link_a_fifo_and_a_missing_directory_are_refused_and_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("changed");
        let target = directory.path().join("target");
        symlink(&target, &path).unwrap();
        let refusal = async |path: &Path| TouchTell { path: path.to_owned() }.tell().await.unwrap_err();
        let link = refusal(&path).await;
        assert_eq!(link, format!("cannot touch {}: it is a symbolic link", path.display()));
        fs::write(&target, "").unwrap();
        let before = modified(&target);
        assert_eq!(refusal(&path).await, link);
        assert_eq!(modified(&target), before);
        // Whoever may write to the directory could lead the way to any other one.
        let inner = directory.path().join("inner");
        symlink(directory.path(), &inner).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(
            refusal(&inner.join("target")).await.ends_with("is a symbolic link that another user may have put there")
        );
        assert_eq!(modified(&target), before);
        let (_fifo_directory, fifo) = harness::fifo();
        assert!(refusal(Path::new(&fifo)).await.starts_with("cannot touch "));
        assert!(
            refusal(&directory.path().join("none/changed")).await.ends_with("No such file or directory (os error 2)")
        );
    }
}
