//! A mount whose server is gone: every look at it hangs. For root, inside [`crate::with_own_mounts`].

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::Command,
};

/// A FUSE file system whose server never answers; gone when this is dropped
pub struct HungMount {
    path: PathBuf,
    /// The server's end. When it closes, the kernel answers every question with an error.
    _server: File,
}

impl HungMount {
    /// Mounts one on a new directory at `path`.
    #[track_caller]
    pub fn new(path: &Path) -> Self {
        fs::create_dir(path).unwrap();
        let server = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-i", "-t", "fuse", "-o", "fd=0,rootmode=40000,user_id=0,group_id=0", "dead"]).arg(path);
        let output = mount.stdin(server.try_clone().unwrap()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { path: path.into(), _server: server }
    }
}

impl Drop for HungMount {
    fn drop(&mut self) {
        // Lazily, because programs may hang in it.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
