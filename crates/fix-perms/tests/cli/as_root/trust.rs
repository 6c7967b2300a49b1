//! What takes a tree its trust: changes by others, mounts, runs that were killed.

use std::{fs, os::unix::ffi::OsStrExt, path::Path, process::Command};

use harness::{Signal, until, with_own_mounts};
use rustix::fs::getxattr;

use super::{
    limited::{as_user, start_without, without},
    mount, need_root,
};
use crate::support::{Ended, Program, Tree, done, fix_perms, mode, run, set_mode, set_owner};

const OWNER: &str = "--owner=1000:1000";
const ROOT_MATCH: &str = "--policy=root-match";
const STAMP: &str = "--policy=stamp";
/// Without the capability that opens what is closed
const CANNOT_OPEN: &str = "-all,+chown,+fowner";
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
fn a_mount_that_is_left_out_ends_the_trust_when_it_comes_or_goes() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a", "cache/"]);
        let arguments = [OWNER, STAMP, "--one-file-system", &tree.path()];
        tmpfs(&tree.join("cache"));
        done(&arguments);
        assert!(is_trusted(&done(&arguments)));
        unmount(&tree.join("cache"));
        assert!(!is_trusted(&done(&arguments)));
        assert_eq!(tree.entry("cache").owner, (1000, 1000));
        tmpfs(&tree.join("cache"));
        assert!(!is_trusted(&done(&arguments)));
    });
}

#[test]
fn a_volume_below_that_may_be_another_one_the_next_time_keeps_the_stamp_away() {
    need_root();
    with_own_mounts(|| {
        for way in [None, Some("--skip-read-only")] {
            let tree = Tree::new(&["a", "cache/"]);
            let path = tree.path();
            let arguments: Vec<_> = [OWNER, STAMP, &path].into_iter().chain(way).collect();
            tmpfs(&tree.join("cache"));
            let ended = done(&arguments);
            let words = "something is mounted below: give it a PATH of its own, and --one-file-system to this one";
            assert_eq!(ended.message(NO_STAMP)["reason"], words);
            unmount(&tree.join("cache"));
            tmpfs(&tree.join("cache"));
            done(&arguments);
            assert_eq!(tree.entry("cache").owner, (1000, 1000), "{way:?}");
        }
    });
}

#[test]
fn a_right_root_is_not_trusted_while_something_is_mounted_below() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["cache/below"]);
        let arguments = [OWNER, ROOT_MATCH, &tree.path()];
        tmpfs(&tree.join("cache"));
        let words =
            "something is mounted below: what lies under it was not looked at, and --policy root-match will trust it";
        done(&arguments).message(words);
        unmount(&tree.join("cache"));
        tmpfs(&tree.join("cache"));
        let ended = done(&arguments);
        let words = "something is mounted below: give it a PATH of its own, and --one-file-system to this one";
        assert_eq!(ended.message("a right root is not trusted")["reason"], words);
        assert_eq!(tree.entry("cache").owner, (1000, 1000));
        assert!(is_trusted(&done(&[&arguments[..], &["--one-file-system"]].concat())));
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
    let tree = Tree::new(&["a"]);
    set_owner(&tree.root(), 1000, 1000);
    let run = |policy: &str| without("-chown", &[OWNER, "--on-denied=warn", policy, "--output=json", &tree.path()]);
    let ended = run(STAMP);
    assert_eq!(ended.message(NO_STAMP)["reason"], "entries were left as they are, see above");
    assert_eq!((ended.code, &ended.json()["state"]), (Some(0), &"incomplete".into()));
    set_mode(&tree.root(), 0o700);
    let inside = ["--mode=u=rwX,g=rX,o=rX", ROOT_MATCH];
    let ended = done(&[&inside[..], &["--hard-links=leave", &outside_too(&tree)]].concat());
    ended.message("the root is right, and perhaps not all below it: --policy root-match trusts it from now on");
}

/// The path of a tree that has a file with a name outside, which is wrong
fn outside_too(tree: &Tree) -> String {
    fs::write(tree.beside("outside"), "").unwrap();
    fs::hard_link(tree.beside("outside"), tree.join("link")).unwrap();
    set_mode(&tree.join("link"), 0o600);
    tree.path()
}

#[test]
fn a_stamp_of_another_run_does_not_outlive_changes_that_come_after_it() {
    need_root();
    let names: Vec<_> = (0..20_000).map(|nth| format!("d/{nth}")).collect();
    let tree = Tree::new(&["d/"]);
    for name in &names {
        fs::File::create(tree.join(name)).unwrap();
    }
    let path = tree.path();
    let program = Program::start(&mut fix_perms(&["--file-mode=0600", "--threads=1", &path]));
    until("a file is changed", || names.iter().any(|name| mode(&tree.join(name)) == 0o600).then_some(()));
    program.signal(Signal::STOP);
    let arguments = ["--file-mode=0640", STAMP, &path];
    done(&arguments);
    program.signal(Signal::CONT);
    // It fails where it was stopped between a change and the look at it.
    program.end();
    done(&arguments);
    assert!(names.iter().all(|name| mode(&tree.join(name)) == 0o640));
}

#[test]
fn a_closed_root_that_its_change_does_not_open_gets_its_own_back() {
    need_root();
    let tree = Tree::new(&["a"]);
    set_mode(&tree.beside(""), 0o755);
    set_owner(&tree.root(), 1000, 1000);
    set_mode(&tree.root(), 0o700);
    without(CANNOT_OPEN, &["--owner=2000", &tree.path()]).ended_with(77, "reason=denied");
    assert_eq!((tree.entry("").owner, tree.entry("").mode & 0o7777), ((1000, 1000), 0o700));
}

#[test]
fn a_root_of_a_group_that_is_not_ours_keeps_it_when_the_run_fails() {
    need_root();
    let tree = Tree::new(&["sub/file"]);
    set_mode(&tree.beside(""), 0o755);
    set_owner(&tree.root(), 1000, 500);
    set_mode(&tree.root(), 0o2000);
    let ended = as_user(1000, &["--mode=00700", &tree.path()]);
    ended.ended_with(77, "reason=denied");
    assert_eq!((tree.entry("").owner, tree.entry("").mode & 0o777), ((1000, 500), 0));
}

#[test]
fn a_root_whose_group_cannot_be_given_back_is_not_changed_to_be_opened() {
    need_root();
    let tree = Tree::new(&["a"]);
    set_mode(&tree.beside(""), 0o755);
    for user in [0, 1000] {
        set_owner(&tree.root(), user, 500);
        set_mode(&tree.root(), 0o070);
        let ended = as_user(user, &[&format!("--owner=:{user}"), &tree.path()]);
        ended.ended_with(77, "reason=denied");
        assert_eq!(tree.entry("").owner, (user, 500), "{ended:#?}");
    }
}

#[test]
fn the_stamp_of_a_closed_root_ends_with_the_first_change() {
    need_root();
    let names: Vec<_> = (0..20_000).map(|nth| format!("d/{nth}")).collect();
    let tree = Tree::new(&["d/"]);
    set_mode(&tree.beside(""), 0o755);
    for name in &names {
        fs::File::create(tree.join(name)).unwrap();
    }
    set_owner(&tree.root(), 1000, 1000);
    set_mode(&tree.root(), 0o700);
    done(&["--file-mode=0600", STAMP, &tree.path()]);
    assert!(has_stamp(&tree));
    let program = start_without(CANNOT_OPEN, &["--owner=0", "--file-mode=0640", "--threads=1", &tree.path()]);
    until("a file is changed", || names.iter().any(|name| mode(&tree.join(name)) == 0o640).then_some(()));
    program.signal(Signal::STOP);
    assert!(!has_stamp(&tree));
    program.signal(Signal::KILL);
    program.end();
}

#[test]
fn a_closed_root_is_changed_first_only_where_no_policy_trusts_it() {
    need_root();
    for policy in ["root-match", "stamp", "always"] {
        let tree = Tree::new(&["file"]);
        set_mode(&tree.beside(""), 0o755);
        for name in ["file", ""] {
            set_owner(&tree.join(name), 5, 5);
        }
        set_mode(&tree.root(), 0o2700);
        let before = tree.entry("");
        let arguments = ["--owner=0:0", "--mode=u=rwX,go=", "--policy", policy, &tree.path()];
        let ended = without("-all,+chown,+fowner,+fsetid", &arguments);
        if policy == "always" {
            assert_eq!((ended.code, tree.entry("file").owner), (Some(0), (0, 0)), "{ended:#?}");
        } else {
            ended.ended_with(77, "reason=denied");
            let line = ended
                .message("a closed root is not opened by its change with this policy, which trusts a changed root");
            assert_eq!(line["remedy"], "add the capability DAC_OVERRIDE, or use --policy always");
            assert_eq!(tree.entry(""), before);
        }
    }
}
