//! What takes a tree its trust: changes by others, mounts, runs that were killed.

use std::{fs, os::unix::ffi::OsStrExt, path::Path, process::Command};

use harness::{HungMount, Signal, until, with_own_mounts};
use rustix::fs::getxattr;

use super::{mount, need_root};
use crate::support::{Ended, Program, Tree, done, fix_perms, run, set_mode, set_owner};

const OWNER: &str = "--owner=1000:1000";
const STAMP: &str = "--policy=stamp";
const NO_STAMP: &str = "no stamp: the next run looks at everything again";

fn is_trusted(ended: &Ended) -> bool {
    !ended.messages("trusted").is_empty()
}

fn has_stamp(tree: &Tree) -> bool {
    getxattr(tree.root(), "user.sidekit.fix-perms", &mut [0; 256]).is_ok()
}

fn tmpfs(on: &Path) {
    mount(&["-t", "tmpfs", "none"], Path::new(""), on);
}

fn unmount(from: &Path) {
    assert!(Command::new("umount").arg(from).status().unwrap().success());
}

fn immutable(path: &Path, flag: &str) {
    assert!(Command::new("chattr").arg(flag).arg(path).status().unwrap().success());
}

#[test]
fn two_runs_with_settings_of_their_own_trust_a_tree_side_by_side() {
    need_root();
    let tree = Tree::new(&["a"]);
    let (owners, modes) = ([OWNER, STAMP], ["--mode=u=rwX,go=", STAMP]);
    let both = || [owners, modes].map(|settings| done(&[&settings[..], &[&tree.path()]].concat()));
    both();
    both();
    assert!(both().iter().all(is_trusted));
    // A change ends all stamps.
    set_owner(&tree.join("a"), 5, 5);
    done(&["--owner=6", &tree.path()]);
    assert!(!has_stamp(&tree));
}

#[test]
fn a_run_that_fails_or_finds_nothing_to_change_deals_with_a_stamp_as_it_should() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["fs/a"]);
        let root = tree.join("fs");
        super::disks::mount_ext4(&tree, &[]);
        fs::write(root.join("a"), "").unwrap();
        let path = root.display().to_string();
        done(&[OWNER, STAMP, &path]);
        done(&[OWNER, &path]);
        assert!(is_trusted(&done(&[OWNER, STAMP, &path])), "nothing was changed in between");
        set_owner(&root.join("a"), 0, 0);
        immutable(&root.join("a"), "+i");
        run(&[OWNER, &path]).ended_with(77, "reason=denied");
        immutable(&root.join("a"), "-i");
        assert!(!is_trusted(&done(&[OWNER, STAMP, &path])));
    });
}

#[test]
fn a_mount_that_comes_or_goes_ends_the_trust() {
    need_root();
    with_own_mounts(|| {
        for way in [None, Some("--one-file-system"), Some("--skip-read-only")] {
            let tree = Tree::new(&["a", "cache/"]);
            let path = tree.path();
            let arguments: Vec<_> = [OWNER, STAMP, &path].into_iter().chain(way).collect();
            set_mode(&tree.join("cache"), 0o755);
            tmpfs(&tree.join("cache"));
            done(&arguments);
            assert!(is_trusted(&done(&arguments)));
            unmount(&tree.join("cache"));
            assert!(!is_trusted(&done(&arguments)), "{way:?}");
            assert_eq!(tree.entry("cache").owner, (1000, 1000));
            tmpfs(&tree.join("cache"));
            assert!(!is_trusted(&done(&arguments)), "{way:?}");
        }
    });
}

#[test]
fn a_mount_whose_name_is_no_text_hides_no_other() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["ro/file"]);
        let odd = tree.beside("").join(std::ffi::OsStr::from_bytes(b"odd\xff"));
        fs::create_dir(&odd).unwrap();
        tmpfs(&odd);
        tmpfs(&tree.join("ro"));
        fs::write(tree.join("ro/file"), "").unwrap();
        mount(&["-o", "remount,ro"], Path::new(""), &tree.join("ro"));
        let arguments = [OWNER, STAMP, "--skip-read-only", &tree.path()];
        done(&arguments);
        mount(&["-o", "remount,rw"], Path::new(""), &tree.join("ro"));
        done(&arguments);
        assert_eq!(tree.entry("ro/file").owner, (1000, 1000));
    });
}

#[test]
fn a_tree_with_warnings_has_no_stamp_and_a_right_root_is_told_of() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a", "ro/b"]);
        mount(&["--bind", "-o", "ro"], &tree.join("ro"), &tree.join("ro"));
        let arguments = [OWNER, "--on-denied=warn", &tree.path()];
        let ended = done(&[&arguments[..], &[STAMP, "--output=json"]].concat());
        assert_eq!(ended.message(NO_STAMP)["reason"], "entries were left as they are, see above");
        assert_eq!(ended.json()["state"], "incomplete");
        set_owner(&tree.root(), 0, 0);
        let ended = done(&[&arguments[..], &["--policy=root-match"]].concat());
        ended.message("the root is right and not all below it: --policy root-match trusts it from now on");
    });
}

#[test]
fn a_closed_root_of_a_run_that_was_killed_is_not_trusted() {
    need_root();
    for wanted in [&["--owner=0:0", "--mode=u=rwX,go="][..], &["--owner=0:0"], &["--owner=0"], &["--mode=u=rX,go="]] {
        with_own_mounts(|| {
            let tree = Tree::new(&["file"]);
            set_mode(&tree.beside(""), 0o755);
            for name in ["file", ""] {
                set_owner(&tree.join(name), 1000, 1000);
            }
            set_mode(&tree.root(), 0o300);
            let before = tree.entry("");
            let _mount = HungMount::new(&tree.join("hung"));
            let path = tree.path();
            let start = |more: &[&str]| {
                let inside = fix_perms(&[wanted, &["--policy=root-match", "--threads=1", &path], more].concat());
                let mut command = Command::new("setpriv");
                command.env_clear().args(["--bounding-set=-all,+chown,+fowner", "--"]);
                Program::start(command.arg(inside.get_program()).args(inside.get_args()))
            };
            let program = start(&[]);
            until("the root is open", || (tree.entry("") != before).then_some(()));
            program.signal(Signal::KILL);
            program.end();
            let ended = start(&["--exclude=hung"]).end();
            assert!(ended.code == Some(0) && !is_trusted(&ended), "{wanted:?} {ended:#?}");
        });
    }
}
