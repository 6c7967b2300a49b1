//! Several failures: the code and the words of the end are those of the gravest.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::Command,
};

use harness::{Signal, until, with_own_mounts};
use rustix::fs::getxattr;

use super::{disks::mount_ext4, mount, need_root};
use crate::support::{Ended, Program, Tree, entry, fix_perms, run};

const OWNER: &str = "--owner=1000:1000";

/// A mount whose server is gone: each look at it fails
fn dead(path: &Path) {
    fs::create_dir_all(path).unwrap();
    let server = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
    let options = "fd=0,rootmode=40000,user_id=0,group_id=0";
    let mut command = Command::new("mount");
    command.args(["-i", "-t", "fuse", "-o", options, "dead"]).arg(path);
    assert!(command.stdin(server).status().unwrap().success());
}

#[track_caller]
fn assert_denied(ended: &Ended, what: &Path) {
    let start = format!("reason=denied what=\"{}\" last=\"cannot change the owner: ", what.display());
    ended.ended_with(77, &start);
    let problems = ended.json()["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|volume| volume["problems"].clone().as_array().unwrap().clone())
        .collect::<Vec<_>>();
    let is_told = problems.iter().any(|problem| problem["code"] == 77 && problem["path"] == what.display().to_string());
    assert!(is_told, "{problems:#?}");
}

#[test]
fn a_refusal_comes_before_a_dead_mount_wherever_it_is_found() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["ro/file"]);
        for nth in 0..12 {
            dead(&tree.join(&format!("dead/{nth}")));
        }
        mount(&["--bind", "-o", "ro"], &tree.join("ro"), &tree.join("ro"));
        let (dead, ro) = (tree.join("dead").display().to_string(), tree.join("ro").display().to_string());
        let file = tree.join("ro/file");
        assert_denied(&run(&[OWNER, "--threads=1", "--output=json", &tree.path()]), &file);
        for paths in [[&dead, &ro], [&ro, &dead]] {
            assert_denied(&run(&[OWNER, "--output=json", paths[0], paths[1]]), &file);
        }
        let right = Tree::new(&["a"]);
        let inside =
            fix_perms(&[OWNER, "--verify", "--output=json", &right.path(), &tree.join("dead/0").display().to_string()]);
        let ended = Program::start(Command::new(inside.get_program()).env_clear().args(inside.get_args())).end();
        // A PATH that can't be opened is named before anything is looked at.
        ended.ended_with(74, "reason=io last=\"cannot open ");
        assert!(ended.last_line().contains("is gone: mount it again, or leave it out"), "{ended:#?}");
    });
}

#[test]
fn a_path_that_cannot_be_made_is_named_beside_a_graver_failure() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["ro/file", "full/", "last/"]);
        mount(&["--bind", "-o", "ro"], &tree.join("ro"), &tree.join("ro"));
        mount(&["-t", "tmpfs", "-o", "nr_inodes=1", "none"], Path::new(""), &tree.join("full"));
        let paths = ["ro", "full/new", "last"].map(|name| tree.join(name).display().to_string());
        let ended = run(&[OWNER, "--create", "--output=json", &paths[0], &paths[1], &paths[2]]);
        assert_denied(&ended, &tree.join("ro/file"));
        assert_eq!(ended.message("cannot be used")["path"], paths[1]);
        assert_eq!(ended.message("not looked at: a PATH before it cannot be used")["path"], paths[2]);
    });
}

#[test]
fn a_disk_that_turns_read_only_is_worth_another_try() {
    need_root();
    let ways = [(true, &["--owner=1000:1000"][..]), (false, &["--default-acl=u:1000:rwx", "--skip-read-only"])];
    for (is_path, arguments) in ways {
        with_own_mounts(|| until("a run is stopped in its middle", || turn(is_path, arguments)));
    }
}

/// A disk turns read-only in the middle of a run, as ext4 does after an error; `None` if the run was
/// faster. The disk is PATH itself, or below it.
fn turn(is_path: bool, arguments: &[&str]) -> Option<()> {
    let tree = Tree::new(&["fs/"]);
    mount_ext4(&tree, &["-N", "30000"]);
    let names: Vec<_> = (0..20_000).map(|nth| tree.join(&format!("fs/{nth}"))).collect();
    for name in &names {
        fs::create_dir(name).unwrap();
    }
    let path = if is_path { tree.join("fs") } else { tree.root() };
    let inside = fix_perms(&[&["--threads=1", "--log-level=warn"], arguments, &[path.to_str().unwrap()]].concat());
    let program = Program::start(Command::new(inside.get_program()).env_clear().args(inside.get_args()));
    let is_changed = |name: &PathBuf| {
        entry(name).owner.0 == 1000 || getxattr(name, "system.posix_acl_default", &mut [0; 100]).is_ok()
    };
    until("some are changed", || names.iter().any(is_changed).then_some(()));
    program.signal(Signal::STOP);
    mount(&["-o", "remount,ro"], Path::new(""), &tree.join("fs"));
    let are_left = !names.iter().all(is_changed);
    program.signal(Signal::CONT);
    let ended = program.end();
    if are_left {
        ended.ended_with(74, "reason=io");
        assert!(ended.last_line().contains("has turned read-only during the run"), "{ended:#?}");
    }
    are_left.then_some(())
}
