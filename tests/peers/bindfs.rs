//! A volume whose server decides about changes: bindfs plays the server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use e2e::process::{binary, command, output};
use rustix::fs::getxattr;
use tempfile::TempDir;

/// A directory with a file in it, seen through bindfs; unmounted when dropped, so that bindfs ends
pub(crate) struct Volume {
    directory: TempDir,
}

impl Volume {
    pub(crate) fn mount(options: &[&str]) -> Self {
        let volume = Self::not_mounted();
        volume.show(options);
        volume
    }

    /// A volume that its server keeps read-only, which the mount options of the client do not show
    pub(crate) fn read_only_on_the_server() -> Self {
        let volume = Self::not_mounted();
        mount(&["--bind"], &volume.below(), &volume.below());
        mount(&["--bind", "-o", "remount,ro"], &volume.below(), &volume.below());
        volume.show(&[]);
        volume
    }

    fn not_mounted() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["below", "mounted"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("below/file"), "content").unwrap();
        Self { directory }
    }

    fn show(&self, options: &[&str]) {
        let mut bindfs = command("bindfs");
        bindfs.args(options).arg(self.below()).arg(self.root());
        output(bindfs);
    }

    pub(crate) fn ignoring_everything() -> Self {
        Self::mount(&["--chown-ignore", "--chgrp-ignore", "--chmod-ignore"])
    }

    /// What bindfs shows
    pub(crate) fn below(&self) -> PathBuf {
        self.directory.path().join("below")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    pub(crate) fn has_stamp(&self) -> bool {
        getxattr(self.root(), "user.sidekit.fix-perms", &mut [0; 100]).is_ok()
    }

    #[track_caller]
    pub(crate) fn fix_perms(&self, arguments: &[&str]) -> Ended {
        fix_perms(arguments, &self.root())
    }
}

/// Mounts something in the mount namespace of the test.
pub(crate) fn mount(options: &[&str], source: &Path, target: &Path) {
    let mut mount = command("mount");
    mount.args(options).arg(source).arg(target);
    output(mount);
}

/// Runs fix-perms on a path.
#[track_caller]
pub(crate) fn fix_perms(arguments: &[&str], path: &Path) -> Ended {
    Ended::of(command(binary("fix-perms")).args(arguments).arg(path).output().unwrap())
}

impl Drop for Volume {
    fn drop(&mut self) {
        let mut umount = command("umount");
        umount.arg(self.root());
        // No assertion: the test may be failing already.
        let _ = umount.status();
    }
}

/// The end of a run of fix-perms
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self { code: output.status.code(), log: String::from_utf8(output.stderr).unwrap() }
    }

    #[track_caller]
    pub(crate) fn ended_with(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.log);
        for words in words {
            assert!(self.log.contains(words), "{words}: {}", self.log);
        }
    }
}
