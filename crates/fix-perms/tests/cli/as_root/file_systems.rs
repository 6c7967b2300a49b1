//! Mounts and disks that are not as they should be: read-only, full, broken; and others that are
//! left out.

use std::{
    fs::{self, File, OpenOptions},
    path::Path,
    process::Command,
};

use harness::{HungMount, with_own_mounts};

use super::{mount, need_root};
use crate::support::{Ended, Program, Signal, Tree, done, entry, fix_perms, run, stopped_in_time};

const OWNER: &str = "--owner=1000:1000";

/// Bytes of a disk
const IMAGE_SIZE: u64 = 64 * 1024 * 1024;

fn tmpfs(target: &Path) {
    mount(&["-t", "tmpfs", "none"], Path::new(""), target);
}

#[test]
fn a_read_only_mount_below_is_a_refusal_with_its_remedy() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a", "ro/"]);
        tmpfs(&tree.join("ro"));
        fs::write(tree.join("ro/b"), "").unwrap();
        mount(&["-o", "remount,ro"], Path::new(""), &tree.join("ro"));
        let ended = run(&[OWNER, &tree.path()]);
        let words =
            "the file system is read-only: mount it writable, or leave it out with --skip-read-only or --exclude";
        assert_eq!(ended.code, Some(77), "{ended:#?}");
        assert!(ended.last_line().contains(words), "{ended:#?}");
        assert_eq!(tree.entry("a").owner, (1000, 1000));
        for way in [["--exclude=ro"], ["--one-file-system"], ["--on-denied=warn"]] {
            done(&[&[OWNER, &tree.path()], &way[..]].concat());
        }
    });
}

#[test]
fn what_is_right_on_a_read_only_mount_needs_no_change() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a"]);
        done(&[OWNER, &tree.path()]);
        mount(&["--bind", "-o", "ro"], &tree.root(), &tree.root());
        done(&[OWNER, &tree.path()]);
        done(&[OWNER, "--verify", &tree.path()]);
    });
}

#[test]
fn one_file_system_leaves_out_what_is_mounted_below() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a/", "b/", "same/inside"]);
        tmpfs(&tree.join("a"));
        // A bind mount has the same device, and is a mount all the same.
        mount(&["--bind"], &tree.join("same"), &tree.join("b"));
        fs::write(tree.join("a/file"), "").unwrap();
        done(&[OWNER, "--one-file-system", "--exclude=same", &tree.path()]);
        assert_eq!((tree.entry("a").owner, tree.entry("a/file").owner), ((0, 0), (0, 0)));
        assert_eq!((tree.entry("b").owner, tree.entry("b/inside").owner), ((0, 0), (0, 0)));
        done(&[OWNER, &tree.path()]);
        assert_eq!((tree.entry("a/file").owner, tree.entry("b/inside").owner), ((1000, 1000), (1000, 1000)));
    });
}

#[test]
fn a_run_with_nothing_to_change_copies_nothing_up_in_an_overlay() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["lower/a/b", "upper/", "work/", "merged/"]);
        done(&[OWNER, &tree.path()]);
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| tree.join(name).display().to_string());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        mount(&["-t", "overlay", "-o", &options, "none"], Path::new(""), &tree.join("merged"));
        let merged = tree.join("merged").display().to_string();
        assert_eq!(done(&[OWNER, &merged]).message("looked at")["seen"], 3);
        assert_eq!(fs::read_dir(&upper).unwrap().count(), 0);
        done(&["--owner=2000", &merged]);
        assert_eq!(entry(&tree.join("merged/a/b")).owner, (2000, 1000));
    });
}

#[test]
fn a_disk_that_cannot_be_read_is_an_error_of_the_disk() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["fs/"]);
        let image = tree.beside("image");
        File::create(&image).unwrap().set_len(IMAGE_SIZE).unwrap();
        // Groups of a MiB each, over which ext4 spreads directories that are made at the top.
        let format = ["-q", "-b", "1024", "-g", "1024", "-O", "^has_journal"];
        let output = Command::new("mkfs.ext4").args(format).arg(&image).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let mount = || mount(&["-o", "loop"], &image, &tree.join("fs"));
        mount();
        for nth in 0..64 {
            tree.add(&format!("fs/{nth}/file"));
        }
        assert!(Command::new("umount").arg(tree.join("fs")).status().unwrap().success());
        mount();
        // What lies behind the first quarter is gone, and nobody has read it since the mount.
        OpenOptions::new().write(true).open(&image).unwrap().set_len(IMAGE_SIZE / 4).unwrap();
        let ended = run(&[OWNER, tree.join("fs").to_str().unwrap()]);
        assert_eq!(ended.code, Some(74), "{ended:#?}");
        assert!(ended.last_line().contains("cannot look at it: input/output error"), "{ended:#?}");
    });
}

#[test]
fn a_stop_names_the_volume_that_does_not_answer() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["right/a"]);
        let hung = tree.beside("hung");
        let _mount = HungMount::new(&hung);
        let (right, hung) = (tree.path(), hung.display().to_string());
        let words = format!(
            "what=\"{hung}\" last=\"a step did not end in time after 0 seen, 0 changed: does the volume answer?\""
        );
        for paths in [[hung.as_str(), &right], [&right, &hung]] {
            let stop = || {
                let mut program = Program::start(&mut fix_perms(&[&[OWNER], &paths[..]].concat()));
                program.wait_for_message("fix-perms starts");
                program.signal(Signal::TERM);
                program.end()
            };
            let ended = stopped_in_time(|ended: &Ended| ended.last_line().contains(&words), stop);
            ended.ended_with(143, "reason=stopped");
        }
    });
}
