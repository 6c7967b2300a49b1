//! Names that move or go on a real disk, while they are looked at: what only some file systems, or
//! slow ones, let happen.

use std::{
    fs::{self, File},
    io::Write,
    process::Command,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    need_root,
    races::{RUNS, meanwhile},
};
use crate::support::{Tree, done, entry, run};

/// A new ext4 on the tree's directory `fs`, until the mount namespace is gone
pub(super) fn mount_ext4(tree: &Tree, options: &[&str]) {
    let image = tree.beside("image");
    File::create(&image).unwrap().set_len(64 * 1024 * 1024).unwrap();
    let format = Command::new("mkfs.ext4").arg("-q").args(options).arg(&image).output().unwrap();
    assert!(format.status.success(), "{format:?}");
    super::mount(&["-o", "loop"], &image, &tree.join("fs"));
}

#[test]
fn whole_seconds_on_a_disk_do_not_make_a_name_that_moves_count_twice() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["fs/"]);
        // Inodes of 128 bytes have no room for fractions.
        mount_ext4(&tree, &["-I", "128"]);
        for nth in 0..6 {
            fs::create_dir_all(tree.join(&format!("fs/data/{nth}"))).unwrap();
        }
        let canary = tree.join("fs/canary");
        fs::write(&canary, "").unwrap();
        let place = |nth: u64| tree.join(&format!("fs/data/{}/name", nth % 6));
        fs::hard_link(&canary, place(0)).unwrap();
        let at = AtomicU64::new(0);
        let moves = || {
            let nth = at.fetch_add(1, Relaxed);
            fs::rename(place(nth), place(nth + 1)).unwrap();
        };
        let path = tree.join("fs/data").display().to_string();
        meanwhile(moves, || {
            for _ in 0..RUNS {
                done(&["--owner=1000:1000", "--threads=3", &path]);
                assert_eq!(entry(&canary).owner, (0, 0));
            }
        });
    });
}

#[test]
fn a_file_that_somebody_writes_to_is_changed_or_told_of() {
    need_root();
    let tree = Tree::new(&["log", "a", "b"]);
    let path = tree.path();
    let write = || fs::OpenOptions::new().append(true).open(tree.join("log")).unwrap().write_all(b"x").unwrap();
    meanwhile(write, || {
        for round in 0..RUNS {
            let owner = 1000 + round % 2;
            let ended = run(&[&format!("--owner={owner}"), &path]);
            match ended.code {
                Some(0) => assert_eq!(tree.entry("log").owner.0, owner, "{ended:#?}"),
                _ => assert!(ended.last_line().contains("it is changed all the time"), "{ended:#?}"),
            }
        }
    });
    done(&["--owner=1000", &path]);
    assert_eq!(tree.entry("log").owner.0, 1000);
}

/// Between the moment when a file has a name less and the moment when the name is gone, ext4 may
/// wait for the disk: with `chattr +D`, which the directory's owner may set, for milliseconds.
#[test]
fn a_name_that_is_being_taken_away_does_not_make_its_file_one_with_a_single_name() {
    const CANARIES: usize = 300;
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["fs/"]);
        mount_ext4(&tree, &[]);
        let (outside, inside) = (tree.join("fs/outside"), tree.join("fs/data/inside"));
        fs::create_dir_all(&outside).unwrap();
        fs::create_dir_all(&inside).unwrap();
        for nth in 0..CANARIES {
            File::create(outside.join(nth.to_string())).unwrap();
        }
        assert!(Command::new("chattr").arg("+D").arg(&inside).status().unwrap().success());
        let path = tree.join("fs/data").display().to_string();
        let come_and_go = || {
            for nth in 0..CANARIES {
                let _ = fs::hard_link(outside.join(nth.to_string()), inside.join(nth.to_string()));
            }
            for name in fs::read_dir(&inside).unwrap() {
                let _ = fs::remove_file(name.unwrap().path());
            }
        };
        meanwhile(come_and_go, || {
            for _ in 0..RUNS {
                done(&["--owner=1000:1000", "--threads=2", &path]);
            }
        });
        let changed = (0..CANARIES).filter(|nth| entry(&outside.join(nth.to_string())).owner != (0, 0)).count();
        assert_eq!(changed, 0, "files outside that were changed");
    });
}
