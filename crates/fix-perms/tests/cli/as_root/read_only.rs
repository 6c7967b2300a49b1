//! Read-only mounts below a PATH: left out and counted with `--skip-read-only`, and refusals
//! without it.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use harness::with_own_mounts;
use rustix::fs::getxattr;
use serde_json::json;

use super::{limited::as_user, mount, need_root};
use crate::support::{Ended, Tree, done, entry, run, set_mode, set_owner};

const OWNER: &str = "--owner=1000:1000";
const SKIP: &str = "--skip-read-only";
const JSON: &str = "--output=json";
const MESSAGE: &str = "left out: a read-only mount";

/// A volume as a kubelet makes it: `app.conf` and `keys` are mounted read-only, `cache` is another
/// writable volume
fn volume() -> Tree {
    let tree = Tree::new(&["data", "app.conf", "keys/inner/key", "cache/entry"]);
    File::create(tree.beside("config")).unwrap();
    mount(&["--bind"], &tree.beside("config"), &tree.join("app.conf"));
    mount(&["--bind", "-o", "remount,ro"], Path::new(""), &tree.join("app.conf"));
    mount(&["-t", "tmpfs", "none"], Path::new(""), &tree.join("keys"));
    tree.add("keys/inner/key");
    mount(&["-o", "remount,ro"], Path::new(""), &tree.join("keys"));
    mount(&["-t", "tmpfs", "none"], Path::new(""), &tree.join("cache"));
    tree.add("cache/entry");
    tree
}

/// The same without the volume that is walked and keeps stamps away
fn volume_without_cache() -> Tree {
    let tree = volume();
    assert!(Command::new("umount").arg(tree.join("cache")).status().unwrap().success());
    tree
}

#[track_caller]
fn assert_left_out(ended: &Ended, paths: &[&Path]) {
    let mut told: Vec<_> = ended.messages(MESSAGE).iter().map(|line| line["path"].as_str().unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, paths.iter().map(|path| path.to_str().unwrap()).collect::<Vec<_>>(), "{ended:#?}");
    assert_eq!(ended.message("looked at")["read_only"], paths.len());
}

#[test]
fn read_only_mounts_are_left_out_and_counted_and_writable_ones_are_not() {
    need_root();
    with_own_mounts(|| {
        let tree = volume();
        let before = ["keys", "keys/inner/key", "app.conf"].map(|name| tree.entry(name));
        for looks in [&["--verify"][..], &["--dry-run"]] {
            let ended = run(&[&[OWNER, SKIP], looks, &[&tree.path()]].concat());
            assert!(!ended.stdout.contains("keys") && !ended.stdout.contains("app.conf"), "{}", ended.stdout);
        }
        let ended = done(&[OWNER, SKIP, JSON, &tree.path()]);
        assert_left_out(&ended, &[&tree.join("app.conf"), &tree.join("keys")]);
        let counts = &ended.json()["volumes"][0];
        assert_eq!((&counts["read_only"], &counts["seen"], &counts["failed"]), (&json!(2), &json!(4), &json!(0)));
        for name in ["", "data", "cache", "cache/entry"] {
            assert_eq!(tree.entry(name).owner, (1000, 1000), "{name}");
        }
        assert_eq!(["keys", "keys/inner/key", "app.conf"].map(|name| tree.entry(name)), before);
        // A second run has nothing to do, and neither has a check.
        assert_eq!(done(&[OWNER, SKIP, &tree.path()]).message("looked at")["changed"], 0);
        done(&[OWNER, SKIP, "--verify", &tree.path()]);
        done(&[OWNER, SKIP, "--verify", "--sample=200", &tree.path()]);
        run(&[OWNER, "--verify", &tree.path()]).ended_with(1, "reason=failed");
    });
}

#[test]
fn the_key_of_the_file_leaves_them_out_too() {
    need_root();
    with_own_mounts(|| {
        let tree = volume();
        let text = format!("volumes: [{{path: {}, owner: '1000:1000', skip-read-only: true}}]\n", tree.path());
        let (_directory, file) = harness::config_file(&text);
        assert_left_out(&done(&["--config", &file]), &[&tree.join("app.conf"), &tree.join("keys")]);
    });
}

#[test]
fn a_read_only_mount_without_the_flag_is_a_refusal_that_names_the_flag() {
    need_root();
    with_own_mounts(|| {
        let ended = run(&[OWNER, &volume().path()]);
        ended.ended_with(77, "reason=denied");
        let remedy =
            "the file system is read-only: mount it writable, or leave it out with --skip-read-only or --exclude";
        assert!(ended.last_line().contains(remedy), "{ended:#?}");
        assert!(ended.message("looked at")["read_only"].is_null(), "{ended:#?}");
    });
}

#[test]
fn a_path_that_is_itself_read_only_is_never_left_out() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a", "b/"]);
        mount(&["--bind", "-o", "ro"], &tree.root(), &tree.root());
        // The directory of another PATH is below nothing.
        for path in [tree.root(), tree.join("b"), tree.join("a")] {
            let ended = run(&[OWNER, SKIP, path.to_str().unwrap()]);
            ended.ended_with(77, "reason=denied");
            let remedy = "the file system is read-only: mount it writable, or leave this PATH out \
                          (--skip-read-only leaves out only what is mounted below a PATH)";
            assert!(ended.last_line().contains(remedy), "{ended:#?}");
            assert_eq!(ended.message("looked at")["read_only"], 0);
        }
        // What is right already needs no change there.
        done(&["--owner=0:0", SKIP, &tree.path()]);
    });
}

#[test]
fn a_closed_directory_on_a_read_only_mount_is_left_out() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a", "ro/"]);
        set_mode(&tree.beside(""), 0o755);
        mount(&["-t", "tmpfs", "none"], Path::new(""), &tree.join("ro"));
        set_mode(&tree.join("ro"), 0o700);
        mount(&["-o", "remount,ro"], Path::new(""), &tree.join("ro"));
        set_owner(&tree.root(), 1000, 1000);
        set_owner(&tree.join("a"), 1000, 1000);
        for flags in [[SKIP], ["--one-file-system"]] {
            let ended = as_user(1000, &[&flags[..], &["--mode=u=rwX,go=", &tree.path()]].concat());
            assert_eq!(ended.code, Some(0), "{ended:#?}");
        }
        assert_eq!(entry(&tree.join("a")).mode & 0o7777, 0o600);
    });
}

#[test]
fn a_stamp_with_the_flag_is_not_trusted_without_it() {
    need_root();
    with_own_mounts(|| {
        let tree = volume_without_cache();
        let stamp = "--policy=stamp";
        done(&[OWNER, SKIP, stamp, &tree.path()]);
        assert!(getxattr(tree.root(), "user.sidekit.fix-perms", &mut [0; 100]).is_ok());
        assert_eq!(done(&[OWNER, SKIP, stamp, &tree.path()]).message("looked at")["seen"], 1);
        run(&[OWNER, stamp, &tree.path()]).ended_with(77, "reason=denied");
    });
}

#[test]
fn a_stamp_ends_when_a_mount_becomes_writable() {
    need_root();
    with_own_mounts(|| {
        let tree = volume_without_cache();
        let stamp = "--policy=stamp";
        done(&[OWNER, SKIP, stamp, &tree.path()]);
        mount(&["-o", "remount,rw"], Path::new(""), &tree.join("keys"));
        done(&[OWNER, SKIP, stamp, &tree.path()]);
        assert_eq!(tree.entry("keys/inner/key").owner, (1000, 1000));
    });
}

#[test]
fn what_is_mounted_below_a_read_only_mount_is_warned_of() {
    need_root();
    with_own_mounts(|| {
        let tree = volume();
        mount(&["-t", "tmpfs", "none"], Path::new(""), &tree.join("keys/inner"));
        let ended = done(&[OWNER, SKIP, &tree.path()]);
        let line = ended.message("left out with it: what is mounted below the read-only mount");
        assert_eq!(line["path"], tree.join("keys").display().to_string());
    });
}

#[test]
fn files_of_an_overlay_are_on_the_mount_of_their_directories() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a"]);
        let layers = ["lower", "upper"].map(|name| tree.beside(name));
        for layer in &layers {
            fs::create_dir(layer).unwrap();
            mount(&["-t", "tmpfs", "none"], Path::new(""), layer);
        }
        fs::write(layers[0].join("file"), "").unwrap();
        for name in ["u", "w"] {
            fs::create_dir(layers[1].join(name)).unwrap();
        }
        let [lower, upper] = layers.each_ref().map(|path| path.display());
        let options = format!("lowerdir={lower},upperdir={upper}/u,workdir={upper}/w,xino=off");
        mount(&["-t", "overlay", "-o", &options, "none"], Path::new(""), &tree.root());
        done(&[OWNER, "--one-file-system", &tree.path()]);
        assert_eq!(tree.entry("file").owner, (1000, 1000));
        // A PATH that is itself read-only and wrong stays a failure.
        mount(&["-o", "remount,ro"], Path::new(""), &tree.root());
        run(&["--owner=5:5", SKIP, &tree.path()]).ended_with(77, "reason=denied");
    });
}

#[test]
fn a_mount_that_becomes_writable_again_is_no_longer_left_out() {
    need_root();
    with_own_mounts(|| {
        let tree = volume();
        done(&[OWNER, SKIP, &tree.path()]);
        mount(&["-o", "remount,rw"], Path::new(""), &tree.join("keys"));
        fs::write(tree.join("keys/new"), "").unwrap();
        assert_left_out(&done(&[OWNER, SKIP, &tree.path()]), &[&tree.join("app.conf")]);
        assert_eq!(tree.entry("keys/inner/key").owner, (1000, 1000));
    });
}
