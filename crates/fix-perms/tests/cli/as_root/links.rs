//! Files with several names, and symbolic links: nothing outside the tree is changed through them.

use std::{fs, os::unix::fs::symlink};

use super::need_root;
use crate::support::{Tree, done, entry, run};

const OWNER: &str = "--owner=1000:1000";
const LEFT: &str = "left alone: not all of their names were found below PATH (--hard-links allow)";

#[test]
fn a_file_with_a_name_outside_is_left_alone_and_reported() {
    need_root();
    let tree = Tree::new(&["a/inside"]);
    fs::hard_link(tree.join("a/inside"), tree.beside("outside")).unwrap();
    let before = entry(&tree.beside("outside"));
    let ended = done(&[OWNER, &tree.path()]);
    assert_eq!(entry(&tree.beside("outside")), before);
    let line = ended.message(LEFT);
    assert_eq!((&line["files"], &line["such_as"]), (&1.into(), &tree.join("a/inside").to_str().unwrap().into()));
    assert_eq!(tree.entry("a").owner, (1000, 1000));
}

#[test]
fn a_file_whose_names_all_lie_inside_is_changed() {
    need_root();
    let tree = Tree::new(&["a/one", "b/"]);
    for name in ["a/two", "b/three", "four"] {
        fs::hard_link(tree.join("a/one"), tree.join(name)).unwrap();
    }
    let ended = done(&[OWNER, "--mode=0600", "--dir-mode=0700", &tree.path()]);
    assert_eq!((tree.entry("a/one").owner, tree.entry("b/three").mode & 0o7777), ((1000, 1000), 0o600));
    assert!(ended.messages(LEFT).is_empty(), "{ended:#?}");
    assert_eq!(ended.message("looked at")["changed"], 4);
}

#[test]
fn a_file_with_a_name_outside_is_changed_when_that_is_allowed() {
    need_root();
    let tree = Tree::new(&["inside"]);
    fs::hard_link(tree.join("inside"), tree.beside("outside")).unwrap();
    done(&[OWNER, "--hard-links=allow", &tree.path()]);
    assert_eq!(entry(&tree.beside("outside")).owner, (1000, 1000));
}

#[test]
fn a_file_that_is_itself_the_path_is_left_alone_too() {
    need_root();
    let tree = Tree::new(&["inside"]);
    fs::hard_link(tree.join("inside"), tree.beside("outside")).unwrap();
    let ended = done(&[OWNER, tree.join("inside").to_str().unwrap()]);
    assert_eq!(ended.message(LEFT)["such_as"], tree.join("inside").to_str().unwrap());
    assert_eq!(tree.entry("inside").owner, (0, 0));
}

#[test]
fn verify_calls_it_wrong_all_the_same() {
    need_root();
    let tree = Tree::new(&["inside"]);
    fs::hard_link(tree.join("inside"), tree.beside("outside")).unwrap();
    done(&[OWNER, &tree.path()]);
    let ended = run(&["--verify", OWNER, &tree.path()]);
    ended.ended_with(
        1,
        &format!(r#"reason=failed what="{}" last="owner 0:0 → 1000:1000"#, tree.join("inside").display()),
    );
}

#[test]
fn symbolic_links_are_re_owned_when_asked_and_never_followed() {
    need_root();
    let tree = Tree::new(&["d/"]);
    fs::create_dir(tree.beside("outside")).unwrap();
    fs::write(tree.beside("outside/canary"), "").unwrap();
    let canary = entry(&tree.beside("outside/canary"));
    let outside = entry(&tree.beside("outside"));
    symlink(tree.beside("outside"), tree.join("d/link")).unwrap();
    symlink(tree.beside("outside/canary"), tree.join("link")).unwrap();
    done(&[OWNER, "--mode=0700", &tree.path()]);
    assert_eq!((tree.entry("link").owner, tree.entry("d/link").owner), ((0, 0), (0, 0)));
    done(&[OWNER, "--mode=0700", "--links", &tree.path()]);
    assert_eq!((tree.entry("link").owner, tree.entry("d/link").owner), ((1000, 1000), (1000, 1000)));
    assert_eq!(entry(&tree.beside("outside/canary")), canary);
    assert_eq!(entry(&tree.beside("outside")), outside);
}

#[test]
fn a_copy_by_hard_links_is_changed_however_large_it_is() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["fs/"]);
        super::mount(&["-t", "tmpfs", "none"], std::path::Path::new(""), &tree.join("fs"));
        for name in ["fs/a", "fs/b"] {
            fs::create_dir(tree.join(name)).unwrap();
        }
        for nth in 0..50_500 {
            fs::File::create(tree.join(&format!("fs/a/{nth}"))).unwrap();
            fs::hard_link(tree.join(&format!("fs/a/{nth}")), tree.join(&format!("fs/b/{nth}"))).unwrap();
        }
        let path = tree.join("fs").display().to_string();
        // All names of one copy come before those of the other, and there is not room for all.
        let ended = run(&[OWNER, "--threads=1", &path]);
        ended.ended_with(1, "reason=failed");
        assert!(ended.last_line().contains("too many files with several names to remember at once"), "{ended:#?}");
        done(&[OWNER, "--threads=1", &path]);
        done(&[OWNER, "--verify", &path]);
    });
}

#[test]
fn no_kind_of_file_is_changed_through_a_name_inside() {
    need_root();
    let tree = Tree::new(&[]);
    fs::create_dir(tree.beside("outside")).unwrap();
    let outside = |name: &str| tree.beside("outside").join(name);
    symlink("nowhere", outside("link")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(outside("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(outside("socket")).unwrap();
    let names = ["link", "fifo", "socket"];
    for name in names {
        rustix::fs::linkat(
            rustix::fs::CWD,
            outside(name),
            rustix::fs::CWD,
            tree.join(name),
            rustix::fs::AtFlags::empty(),
        )
        .unwrap();
    }
    let before = names.map(|name| entry(&outside(name)));
    let ended = done(&[OWNER, "--links", "--mode=0666", &tree.path()]);
    assert_eq!(names.map(|name| entry(&outside(name))), before);
    assert_eq!(ended.message(LEFT)["files"], 3);
}

#[test]
fn a_file_that_is_mounted_over_a_name_does_not_count_as_a_name() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["a", "b"]);
        fs::hard_link(tree.join("a"), tree.beside("outside")).unwrap();
        super::mount(&["--bind"], &tree.join("a"), &tree.join("b"));
        done(&[OWNER, &tree.path()]);
        assert_eq!(entry(&tree.beside("outside")).owner, (0, 0));
        done(&[OWNER, "--hard-links=allow", "--one-file-system", "--exclude=a", &tree.path()]);
        assert_eq!(entry(&tree.beside("outside")).owner, (0, 0));
    });
}

#[test]
fn names_that_an_overlay_would_part_are_left_alone_together() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["lower/a", "upper/", "work/", "merged/"]);
        fs::hard_link(tree.join("lower/a"), tree.join("lower/b")).unwrap();
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| tree.join(name).display().to_string());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work},index=off");
        super::mount(&["-t", "overlay", "-o", &options, "none"], std::path::Path::new(""), &tree.join("merged"));
        let merged = tree.join("merged").display().to_string();
        done(&[OWNER, &merged]).message(LEFT);
        assert_eq!((tree.entry("merged/a").owner, tree.entry("merged/b").owner), ((0, 0), (0, 0)));
        done(&[OWNER, "--hard-links=allow", &merged]);
        done(&[OWNER, "--verify", &merged]);
    });
}
