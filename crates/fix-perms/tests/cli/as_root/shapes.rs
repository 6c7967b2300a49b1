//! Trees of odd shapes: very deep, very wide, with names that are no text.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path, process::Command};

use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, mkdirat, openat},
};

use super::need_root;
use crate::support::{Ended, Program, Tree, done, entry, fix_perms, run};

const OWNER: &str = "--owner=1000:1000";

/// Directories within one another, each with a file beside the next; deeper than any path may be
/// long
fn deep(root: &Path, depth: usize) {
    let mut at: OwnedFd = openat(CWD, root, OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..depth {
        openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o644)).unwrap();
        mkdirat(&at, "d", Mode::from_raw_mode(0o755)).unwrap();
        at = openat(&at, "d", OFlags::PATH, Mode::empty()).unwrap();
    }
}

/// With so few descriptors
fn with_descriptors(limit: u32, arguments: &[&str]) -> Ended {
    let inside = fix_perms(arguments);
    let mut command = Command::new("/bin/sh");
    command.env_clear().args(["-c", "ulimit -n $0 && exec \"$@\"", &limit.to_string()]);
    Program::start(command.arg(inside.get_program()).args(inside.get_args())).end()
}

/// A tree that is too deep for the standard library's way to remove it
struct Deep(Tree);

impl Drop for Deep {
    fn drop(&mut self) {
        let _ = Command::new("rm").arg("-rf").arg(self.0.root()).status();
    }
}

#[test]
fn a_depth_of_5000_needs_few_descriptors() {
    need_root();
    let tree = Deep(Tree::new(&[]));
    deep(&tree.0.root(), 5000);
    for (owner, limit, threads) in [("1000", 100, "1"), ("1001", 256, "4"), ("1002", 1024, "2")] {
        let (owner, threads) = (format!("--owner={owner}"), format!("--threads={threads}"));
        let ended = with_descriptors(limit, &[&owner, &threads, &tree.0.path()]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let line = ended.message("looked at");
        assert_eq!((&line["seen"], &line["changed"]), (&10_001.into(), &10_001.into()));
    }
    let ended = done(&["--owner=1002", &tree.0.path()]);
    assert_eq!(ended.message("looked at")["changed"], 0);
}

#[test]
fn two_hundred_thousand_entries_in_one_directory() {
    need_root();
    let tree = Tree::new(&["wide/"]);
    for nth in 0..200_000 {
        fs::File::create(tree.join("wide").join(nth.to_string())).unwrap();
    }
    let ended = done(&[OWNER, "--threads=4", &tree.path()]);
    let line = ended.message("looked at");
    assert_eq!((&line["seen"], &line["changed"]), (&200_002.into(), &200_002.into()));
    let all = tree.entries();
    assert!(all.len() == 200_002 && all.values().all(|entry| entry.owner == (1000, 1000)));
}

#[test]
fn twenty_thousand_directories_in_one_directory() {
    need_root();
    let tree = Tree::new(&[]);
    for nth in 0..20_000 {
        let directory = tree.join(&nth.to_string());
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("file"), "").unwrap();
    }
    let ended = done(&[OWNER, "--threads=3", &tree.path()]);
    let line = ended.message("looked at");
    assert_eq!((&line["seen"], &line["changed"]), (&40_001.into(), &40_001.into()));
    assert!(tree.entries().values().all(|entry| entry.owner == (1000, 1000)));
}

#[test]
fn names_that_are_no_text() {
    need_root();
    let tree = Tree::new(&["line\nbreak/tab\tinside", " ", "-R", "*"]);
    let odd = tree.root().join(OsStr::from_bytes(b"\xff\xfe\x80"));
    fs::write(&odd, "").unwrap();
    let long = "é".repeat(127);
    tree.add(&long);
    done(&[OWNER, &tree.path()]);
    assert_eq!(entry(&odd).owner, (1000, 1000));
    assert!(tree.entries().values().all(|entry| entry.owner == (1000, 1000)));
    let ended = run(&["--verify", "--owner=0", &tree.path()]);
    assert!(ended.stdout.contains("/line\\nbreak/tab\\tinside: owner 1000:1000 → 0:1000\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("/\\xff\\xfe\\x80: owner "), "{}", ended.stdout);
}

#[test]
fn a_path_that_is_a_file_is_a_tree_of_one() {
    need_root();
    let tree = Tree::new(&["key", "other"]);
    done(&[OWNER, "--mode=0600", "--policy=stamp", tree.join("key").to_str().unwrap()]);
    assert_eq!((tree.entry("key").owner, tree.entry("key").mode & 0o7777), ((1000, 1000), 0o600));
    assert_eq!(tree.entry("other").owner, (0, 0));
}

#[test]
fn a_depth_is_kept_to() {
    need_root();
    for (depth, changed) in [("0", 1), ("1", 2), ("2", 3), ("3", 4), ("9", 4)] {
        let tree = Tree::new(&["a/b/c"]);
        let ended = done(&[OWNER, "--max-depth", depth, &tree.path()]);
        assert_eq!(ended.message("looked at")["changed"], changed, "{depth}");
    }
}

#[test]
fn what_is_excluded_is_left_alone_with_all_below() {
    need_root();
    let tree = Tree::new(&[".snapshot/a", "lost+found/b", "a/.snapshot/c", "a/app.sock", "cache/x/y", "a/cache/z"]);
    done(&[OWNER, "--exclude=*.sock", "--exclude=cache/**", &tree.path()]);
    let left: Vec<_> = tree.entries().into_iter().filter(|(_, entry)| entry.owner == (0, 0)).collect();
    let left: Vec<_> = left.iter().map(|(path, _)| path.to_str().unwrap()).collect();
    assert_eq!(left, [".snapshot", ".snapshot/a", "a/app.sock", "cache/x", "cache/x/y", "lost+found", "lost+found/b"]);
    done(&[OWNER, "--no-default-excludes", &tree.path()]);
    assert!(tree.entries().values().all(|entry| entry.owner == (1000, 1000)));
}

#[test]
fn a_chain_of_thirty_thousand_directories_takes_no_time_for_each_above() {
    need_root();
    let tree = Deep(Tree::new(&[]));
    deep(&tree.0.root(), 30_000);
    let ended = done(&[OWNER, "--threads=2", &tree.0.path()]);
    assert_eq!(ended.message("looked at")["changed"], 60_001);
}

#[test]
fn many_chains_that_are_shared_need_few_descriptors() {
    need_root();
    let tree = Deep(Tree::new(&["1/", "2/", "3/", "4/"]));
    for name in ["1", "2", "3", "4"] {
        deep(&tree.0.join(name), 300);
    }
    for (owner, limit, threads) in [("1000", 100, "16"), ("1001", 256, "16"), ("1002", 1024, "64")] {
        let ended = with_descriptors(limit, &["--owner", owner, "--threads", threads, &tree.0.path()]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.message("looked at")["changed"], 4 * 601 + 1);
    }
}
