//! SELinux labels. The kernel under test may have no SELinux: then a list of file systems that has
//! selinuxfs stands in for it, and the file systems keep labels all the same.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use harness::with_own_mounts;
use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};
use serde_json::json;

use super::{limited::without, mount, need_root};
use crate::support::{Tree, done, run, set_owner};

const ATTRIBUTE: &str = "security.selinux";
const LABEL: &str = "system_u:object_r:container_file_t:s0:c1,c2";
const WANTED: &str = "--selinux-label=system_u:object_r:container_file_t:s0:c1,c2";

/// Lets the kernel seem to have SELinux, or to have none, in the mount namespace of the test.
fn stage_selinux(is_there: bool) {
    let list = tempfile::NamedTempFile::new().unwrap();
    let all = fs::read_to_string("/proc/filesystems").unwrap();
    let others = all.lines().filter(|line| !line.contains("selinuxfs"));
    let lines: Vec<_> = is_there.then_some("nodev\tselinuxfs").into_iter().chain(others).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    mount(&["--bind"], list.path(), Path::new("/proc/filesystems"));
}

fn label(path: &Path) -> Option<String> {
    let mut bytes = [0; 200];
    let length = lgetxattr(path, ATTRIBUTE, &mut bytes).ok()?;
    Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
}

fn set_label(path: &Path, label: &str) {
    lsetxattr(path, ATTRIBUTE, label.as_bytes(), XattrFlags::empty()).unwrap();
}

/// The wanted label, as the attribute has it
fn labelled() -> String {
    format!("{LABEL}\0")
}

#[test]
fn everything_gets_the_label_where_it_differs() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(true);
        let tree = Tree::new(&["a", "d/b"]);
        symlink("../../elsewhere", tree.join("d/link")).unwrap();
        assert!(Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success());
        fs::write(tree.beside("elsewhere"), "").unwrap();
        // The same label in other words, and one that is another.
        let same = "system_u:object_r:container_file_t:s0:c2,c1";
        let other = "system_u:object_r:container_file_t:s0:c1,c3";
        set_label(&tree.join("a"), same);
        set_label(&tree.join("d/b"), other);
        let ended = run(&[WANTED, "--verify", &tree.path()]);
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        let lines = [(tree.join("d/b"), other), (tree.join("d/link"), "none")]
            .map(|(path, was)| format!("{}: label {was} → {LABEL}\n", path.display()));
        assert!(lines.iter().all(|line| ended.stdout.contains(line)), "{}", ended.stdout);

        let line = done(&[WANTED, &tree.path()]).message("looked at").clone();
        assert_eq!((&line["seen"], &line["changed"]), (&json!(6), &json!(5)));
        for name in ["", "d", "d/b", "d/link", "pipe"] {
            assert_eq!(label(&tree.join(name)), Some(labelled()), "{name}");
        }
        assert_eq!(label(&tree.join("a")).as_deref(), Some(same));
        assert_eq!(label(&tree.beside("elsewhere")), None);
        let before = tree.entries();
        assert_eq!(done(&[WANTED, &tree.path()]).message("looked at")["changed"], 0);
        done(&[WANTED, "--verify", &tree.path()]);
        done(&[WANTED, "--verify", "--sample=20", &tree.path()]);
        assert_eq!(tree.entries(), before);
    });
}

#[test]
fn an_entry_whose_owner_changes_too_is_one_change() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(true);
        let tree = Tree::new(&["a"]);
        let arguments = ["--owner=1000:1000", "--mode=u=rwX,go=", WANTED, &tree.path()];
        let ended = run(&[&["--dry-run"], &arguments[..]].concat());
        let line = format!("/a: owner 0:0 → 1000:1000, mode 0644 → 0600, label none → {LABEL}\n");
        assert!(ended.stdout.contains(&line), "{}", ended.stdout);
        let ended = done(&[&["--default-acl=g::rx"], &arguments[..]].concat());
        assert_eq!(ended.message("looked at")["changed"], 2);
        assert_eq!((label(&tree.root()), tree.entry("a").owner), (Some(labelled()), (1000, 1000)));
    });
}

#[test]
fn directories_that_are_made_get_the_label() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(true);
        let tree = Tree::new(&[]);
        done(&["--create", WANTED, tree.join("new/deeper").to_str().unwrap()]);
        assert_eq!([label(&tree.join("new")), label(&tree.join("new/deeper"))], [Some(labelled()), Some(labelled())]);
        assert_eq!(label(&tree.root()), None);
    });
}

#[test]
fn a_file_with_a_name_outside_keeps_its_label() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(true);
        let tree = Tree::new(&["a"]);
        fs::hard_link(tree.join("a"), tree.beside("outside")).unwrap();
        let ended = done(&[WANTED, &tree.path()]);
        ended.message("left alone: not all of their names were found below PATH (--hard-links allow)");
        assert_eq!(label(&tree.beside("outside")), None);
        done(&[WANTED, "--hard-links=allow", &tree.path()]);
        assert_eq!(label(&tree.beside("outside")), Some(labelled()));
    });
}

#[test]
fn a_stamp_holds_for_one_label() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(true);
        let tree = Tree::new(&["a"]);
        let seen = |label: &str| done(&[label, "--policy=stamp", &tree.path()]).message("looked at")["seen"].clone();
        assert_eq!([seen(WANTED), seen(WANTED)], [json!(2), json!(1)]);
        assert_eq!(seen("--selinux-label=system_u:object_r:usr_t:s0"), 2);
    });
}

#[test]
fn a_kernel_without_selinux_is_named_and_the_rest_is_done() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(false);
        let tree = Tree::new(&["a"]);
        let arguments = [WANTED, "--owner=1000", &tree.path()];
        let ended = done(&arguments);
        let line = ended.message("the kernel has no SELinux: labels are left as they are");
        assert_eq!((&line["level"], &line["path"]), (&"WARN".into(), &tree.path().into()));
        assert_eq!((tree.entry("a").owner, label(&tree.join("a"))), ((1000, 0), None));
        let report = done(&[&["--verify", "--output=json"], &arguments[..]].concat()).json();
        let volume = &report["volumes"][0];
        assert_eq!((&report["state"], &volume["labels_ignored"]), (&"incomplete".into(), &true.into()));
    });
}

#[test]
fn a_file_system_without_labels_is_named() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(true);
        let tree = Tree::new(&["fs/"]);
        mount(&["-t", "ramfs", "none"], Path::new(""), &tree.join("fs"));
        set_owner(&tree.join("fs"), 7, 7);
        let path = tree.join("fs").display().to_string();
        let arguments = [WANTED, "--owner=1000", &path];
        let ended = run(&arguments);
        ended.ended_with(77, "reason=denied");
        let words = "cannot set the SELinux label: the file system keeps no SELinux labels: mount it with the option \
                     context= and the label, and leave --selinux-label out";
        assert!(ended.last_line().contains(words), "{ended:#?}");
        // The owner does not depend on it.
        assert_eq!(tree.entry("fs").owner, (1000, 7));
        done(&[&["--on-denied=warn"], &arguments[..]].concat());
    });
}

#[test]
fn modes_do_not_excuse_a_label_that_is_missing() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(true);
        let tree = Tree::new(&["fs/"]);
        mount(&["-t", "ramfs", "none"], Path::new(""), &tree.join("fs"));
        tree.add("fs/a");
        // Root owns and can read all of it.
        let excuse = ["--on-denied=accessible", "--owner=0:0"];
        let ended = run(&[&[WANTED], &excuse[..], &[tree.join("fs").to_str().unwrap()]].concat());
        ended.ended_with(77, "reason=denied");
    });
}

#[test]
fn an_entry_that_refuses_its_label_is_named_with_the_remedy() {
    need_root();
    with_own_mounts(|| {
        stage_selinux(true);
        let tree = Tree::new(&["a"]);
        let chattr =
            |flag: &str| assert!(Command::new("chattr").arg(flag).arg(tree.join("a")).status().unwrap().success());
        chattr("+i");
        let ended = without("-fowner", &[WANTED, &tree.path()]);
        let with_all = run(&[WANTED, &tree.path()]);
        chattr("-i");
        let what = "cannot set the SELinux label: operation not permitted: ";
        assert!(ended.last_line().contains(&format!("{what}CAP_FOWNER is missing; give the container")), "{ended:#?}");
        let warning = ended.message("lacks capabilities: changes that need them will be refused");
        assert_eq!(warning["missing"], "FOWNER");
        assert!(with_all.last_line().contains(&format!("{what}the entry is immutable")), "{with_all:#?}");
    });
}

#[test]
fn without_proc_it_is_said_that_labels_cannot_be_set() {
    need_root();
    with_own_mounts(|| {
        let tree = Tree::new(&["a"]);
        // Only the list is left of it.
        mount(&["-t", "tmpfs", "none"], Path::new(""), Path::new("/proc"));
        fs::write("/proc/filesystems", "nodev\tselinuxfs\n").unwrap();
        let ended = run(&[WANTED, &tree.path()]);
        let words = "cannot set the SELinux label: labels are set through /proc/self/fd, and /proc is not mounted";
        assert!(ended.last_line().contains(words) && ended.code == Some(1), "{ended:#?}");
    });
}
