//! XFS, where two names that are exchanged leave the files' own times as they are: a file must not be taken for one
//! whose names all lie in the tree because one name was seen in two places.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use e2e::process::{binary, command, output};
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Enough for mkfs.xfs, which asks for 300 MB; the file is sparse.
const IMAGE_SIZE: u64 = 400 * 1024 * 1024;
const RUNS: usize = 100;

#[test]
fn an_exchange_does_not_make_one_name_two() {
    harness::with_own_mounts(|| {
        let directory = tempfile::tempdir().unwrap();
        let (image, root) = (directory.path().join("image"), directory.path().join("fs"));
        File::create(&image).unwrap().set_len(IMAGE_SIZE).unwrap();
        fs::create_dir(&root).unwrap();
        let mut mkfs = command("mkfs.xfs");
        mkfs.arg("-q").arg(&image);
        output(mkfs);
        let mut mount = command("mount");
        mount.args(["-o", "loop"]).arg(&image).arg(&root);
        output(mount);
        race(&root);
    });
}

fn race(root: &Path) {
    let (canary, tree) = (root.join("canary"), root.join("tree"));
    fs::create_dir(&tree).unwrap();
    fs::write(&canary, "").unwrap();
    let names = ["a", "b"].map(|name| tree.join(name));
    fs::hard_link(&canary, &names[0]).unwrap();
    fs::write(&names[1], "").unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                renameat_with(CWD, &names[0], CWD, &names[1], RenameFlags::EXCHANGE).unwrap();
            }
        });
        for _ in 0..RUNS {
            let mut fix_perms = command(binary("fix-perms"));
            fix_perms.args(["--owner=1000:1000", "--threads=2"]).arg(&tree);
            output(fix_perms);
        }
        stop.store(true, Relaxed);
    });
    assert_eq!(fs::metadata(&canary).unwrap().uid(), 0);
}
