//! When what is there is trusted: a right root, a stamp; and the root that is changed last.

use std::fs;

use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::{limited::without, need_root};
use crate::support::{Ended, Tree, done, mode, run, set_mode, set_owner};

const OWNER: &str = "--owner=1000:1000";
const STAMP: &str = "--policy=stamp";
const ATTRIBUTE: &str = "user.sidekit.fix-perms";

fn seen(ended: &Ended) -> u64 {
    ended.message("looked at")["seen"].as_u64().unwrap()
}

fn stamp(tree: &Tree) -> Option<String> {
    let mut bytes = [0; 256];
    let length = getxattr(tree.root(), ATTRIBUTE, &mut bytes).ok()?;
    Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
}

#[test]
fn always_looks_at_everything() {
    need_root();
    let tree = Tree::new(&["a/b/c", "d"]);
    assert_eq!(seen(&done(&[OWNER, &tree.path()])), 5);
    assert_eq!(seen(&done(&[OWNER, &tree.path()])), 5);
    assert_eq!(stamp(&tree), None);
}

#[test]
fn root_match_trusts_a_root_that_is_right() {
    need_root();
    let tree = Tree::new(&["a/b"]);
    assert_eq!(seen(&done(&[OWNER, "--policy=root-match", &tree.path()])), 3);
    tree.add("late");
    let ended = done(&[OWNER, "--policy=root-match", "--output=json", &tree.path()]);
    assert_eq!((seen(&ended), &ended.json()["volumes"][0]["trusted"]), (1, &true.into()));
    assert_eq!(ended.message("trusted")["reason"], "the root is right");
    assert_eq!(tree.entry("late").owner, (0, 0));
    set_owner(&tree.root(), 0, 0);
    assert_eq!(seen(&done(&[OWNER, "--policy=root-match", &tree.path()])), 4);
    assert_eq!(tree.entry("late").owner, (1000, 1000));
}

#[test]
fn a_stamp_is_put_on_a_finished_tree_and_trusted() {
    need_root();
    let tree = Tree::new(&["a/b"]);
    // A right root alone is not enough.
    set_owner(&tree.root(), 1000, 1000);
    assert_eq!(seen(&done(&[OWNER, STAMP, &tree.path()])), 3);
    assert!(stamp(&tree).is_some());
    let before = tree.entries();
    assert_eq!(seen(&done(&[OWNER, STAMP, &tree.path()])), 1);
    assert_eq!(tree.entries(), before);
}

#[test]
fn a_stamp_is_not_trusted_on_a_wrong_root_or_for_another_state() {
    need_root();
    let tree = Tree::new(&["a/b"]);
    done(&[OWNER, STAMP, &tree.path()]);
    set_mode(&tree.join("a/b"), 0o600);
    for other in [
        &["--mode=a+r"][..],
        &["--mode=a+r", "--exclude=x"],
        &["--mode=a+r", "--max-depth=9"],
        &["--mode=a+r", "--links"],
    ] {
        let before = stamp(&tree);
        assert_eq!(seen(&done(&[&[OWNER, STAMP, &tree.path()], other].concat())), 3, "{other:?}");
        assert_ne!(stamp(&tree), before);
    }
    set_owner(&tree.root(), 0, 0);
    assert_eq!(seen(&done(&[OWNER, STAMP, "--mode=a+r", "--links", &tree.path()])), 3);
}

#[test]
fn a_run_for_another_state_ends_the_stamp_even_if_it_keeps_none_itself() {
    need_root();
    let tree = Tree::new(&["a/b"]);
    done(&[OWNER, STAMP, &tree.path()]);
    done(&["--owner=2000", &tree.path()]);
    assert_eq!(stamp(&tree), None);
    set_owner(&tree.root(), 1000, 1000);
    assert_eq!(seen(&done(&[OWNER, STAMP, &tree.path()])), 3);
    assert_eq!(tree.entry("a/b").owner, (1000, 1000));
}

#[test]
fn a_stamp_of_somebody_else_counts_for_nothing() {
    need_root();
    let tree = Tree::new(&["a"]);
    done(&[OWNER, &tree.path()]);
    for forged in ["", "1:", "1:00000000000000000000000000000000", &"x".repeat(1000)] {
        setxattr(tree.root(), ATTRIBUTE, forged.as_bytes(), XattrFlags::empty()).unwrap();
        assert_eq!(seen(&done(&[OWNER, STAMP, &tree.path()])), 2, "{forged:?}");
        assert!(stamp(&tree).is_some_and(|stamp| stamp != forged));
    }
}

#[test]
fn the_root_is_changed_only_when_all_below_it_is_right() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["a", "read-only/b"]);
        super::mount(&["--bind", "-o", "ro"], &tree.join("read-only"), &tree.join("read-only"));
        let ended = run(&[OWNER, STAMP, &tree.path()]);
        assert_eq!(ended.code, Some(77), "{ended:#?}");
        ended.message("the root is left as it was: not all below it is right");
        assert_eq!((tree.entry("").owner, tree.entry("a").owner, stamp(&tree)), ((0, 0), (1000, 1000), None));
        // Who takes refusals for warnings gets the root, but no stamp.
        done(&[OWNER, STAMP, "--on-denied=warn", &tree.path()]);
        assert_eq!((tree.entry("").owner, stamp(&tree)), ((1000, 1000), None));
        done(&[OWNER, STAMP, "--one-file-system", &tree.path()]);
        assert!(stamp(&tree).is_some());
    });
}

#[test]
fn a_dry_run_and_a_look_leave_stamps_alone() {
    need_root();
    let tree = Tree::new(&["a"]);
    done(&[OWNER, STAMP, &tree.path()]);
    let before = tree.entries();
    done(&["--owner=2000", "--dry-run", &tree.path()]);
    run(&["--owner=2000", "--verify", &tree.path()]);
    assert_eq!(tree.entries(), before);
    assert!(stamp(&tree).is_some());
}

#[test]
fn a_file_system_without_attributes_keeps_no_stamp_and_that_is_no_failure() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["fs/"]);
        super::mount(&["-t", "ramfs", "none"], std::path::Path::new(""), &tree.join("fs"));
        fs::write(tree.join("fs/a"), "").unwrap();
        let path = tree.join("fs");
        let ended = done(&[OWNER, STAMP, path.to_str().unwrap()]);
        let line = ended.message("no stamp: the next run looks at everything again");
        assert_eq!(line["reason"], "the file system keeps no extended attributes");
        assert_eq!(mode(&path), 0o755);
    });
}

#[test]
fn a_file_that_was_left_alone_keeps_the_stamp_away() {
    need_root();
    let tree = Tree::new(&["a"]);
    done(&[OWNER, STAMP, &tree.path()]);
    let before = stamp(&tree);
    assert!(before.is_some());
    fs::write(tree.beside("outside"), "").unwrap();
    fs::hard_link(tree.beside("outside"), tree.join("b")).unwrap();
    // A right root with this stamp is trusted; a wrong one is not, and the stamp ends.
    set_owner(&tree.root(), 0, 0);
    let ended = done(&[OWNER, STAMP, &tree.path()]);
    let line = ended.message("no stamp: the next run looks at everything again");
    assert_eq!(line["reason"], "files or mounts were left alone, see above");
    assert_eq!((tree.entry("").owner, stamp(&tree)), ((1000, 1000), None));
    // It has moved out of the way: the next run sees to the rest.
    fs::remove_file(tree.beside("outside")).unwrap();
    assert_eq!(seen(&done(&[OWNER, STAMP, &tree.path()])), 3);
    assert_eq!((tree.entry("b").owner, stamp(&tree)), ((1000, 1000), before));
}

#[test]
fn the_stamp_of_another_state_on_a_read_only_volume_is_no_failure() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["a"]);
        done(&[OWNER, STAMP, &tree.path()]);
        super::mount(&["--bind", "-o", "ro"], &tree.root(), &tree.root());
        let before = stamp(&tree);
        // All of this is right already.
        for arguments in [&["--mode=a+r"][..], &["--mode=a+r", STAMP]] {
            done(&[&[OWNER, &tree.path()], arguments].concat());
            assert_eq!(stamp(&tree), before);
        }
        let ended = run(&["--owner=2000", &tree.path()]);
        assert!(ended.last_line().contains("the file system is read-only"), "{ended:#?}");
        assert_eq!(ended.code, Some(77), "{ended:#?}");
    });
}

#[test]
fn a_stamp_of_a_run_that_took_refusals_for_good_enough_is_not_trusted_by_one_that_does_not() {
    need_root();
    let tree = Tree::new(&["a"]);
    set_owner(&tree.root(), 1000, 1000);
    set_mode(&tree.join("a"), 0o666);
    let path = tree.path();
    let without_chown = |arguments: &[&str]| without("-chown", &[&[OWNER, STAMP, &path], arguments].concat());
    let accessible = ["--on-denied=accessible"];
    for looked_at in [2, 1] {
        let ended = without_chown(&accessible);
        assert_eq!((ended.code, seen(&ended)), (Some(0), looked_at), "{ended:#?}");
    }
    let ended = without_chown(&[]);
    assert_eq!((ended.code, seen(&ended)), (Some(77), 2), "{ended:#?}");
}
