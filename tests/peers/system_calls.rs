//! What fix-perms asks of the kernel, as strace(1) sees it; and what it says when the kernel's answer is a rare one, which
//! strace puts in the place of the real one.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    process::Output,
};

use e2e::process::{binary, command, output};
use tempfile::TempDir;

const OWNER: &str = "--owner=1000:1000";

/// Files, directories, links and things that must not be opened, two levels deep
fn tree() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["a", "a/b"] {
        fs::create_dir(root.path().join(directory)).unwrap();
        for name in ["file", "other", "set-id"] {
            fs::write(root.path().join(directory).join(name), "").unwrap();
        }
        symlink("/etc/passwd", root.path().join(directory).join("link")).unwrap();
        for (name, kind) in [("fifo", &["p"][..]), ("device", &["c", "1", "3"])] {
            let mut tool = command("mknod");
            tool.arg(root.path().join(directory).join(name)).args(kind);
            output(tool);
        }
    }
    let mut chmod = command("chmod");
    chmod.arg("6755").args(["a/set-id", "a/b/set-id"].map(|name| root.path().join(name)));
    output(chmod);
    root
}

/// fix-perms behind strace, with what strace wrote
fn traced(options: &[&str], arguments: &[&str], root: &Path) -> (Output, Vec<String>) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = command("strace");
    strace.args(["-f", "-qq", "-s", "300", "-o"]).arg(log.path()).args(options);
    strace.arg(binary("fix-perms")).args(arguments).arg(root);
    let output = strace.output().unwrap();
    let text = fs::read_to_string(log.path()).unwrap();
    // Each line begins with the number of the thread.
    let calls = text.lines().filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim_start().to_owned());
    (output, calls.collect())
}

fn name_of(call: &str) -> &str {
    call.split('(').next().unwrap_or_default()
}

#[test]
fn owners_and_modes_are_changed_through_descriptors_alone() {
    let root = tree();
    let arguments = [OWNER, "--mode=u=rwX,g=rXs,o=", "--links", "--threads=2"];
    let (output, calls) = traced(&["-e", "trace=/(chown|chmod|setxattr)|^[0-9]+$"], &arguments, root.path());
    assert!(output.status.success(), "{output:?}");
    let owners: Vec<_> = calls.iter().filter(|call| name_of(call).contains("chown")).collect();
    assert_eq!(owners.len(), 15, "{calls:#?}");
    for call in owners {
        let through_descriptor =
            call.starts_with("fchownat(") && call.contains(", \"\", 1000, 1000, AT_EMPTY_PATH) = 0");
        assert!(through_descriptor && !call.contains("AT_FDCWD"), "{call}");
    }
    // This strace may not know fchmodat2 by its name; a mode by path would be chmod or fchmodat.
    let by_path =
        calls.iter().find(|call| ["chmod", "fchmodat", "lchown", "chown", "setxattr"].contains(&name_of(call)));
    assert_eq!(by_path, None);
    assert_eq!(fs::metadata(root.path().join("a/b/set-id")).unwrap().mode() & 0o7777, 0o2750);
}

#[test]
fn only_single_names_are_looked_up_below_the_root_and_no_link_is_followed() {
    let root = tree();
    let (output, calls) = traced(
        &["-e", "trace=openat,openat2,open,statx,newfstatat"],
        &[OWNER, "--mode=a+r", "--threads=2"],
        root.path(),
    );
    assert!(output.status.success(), "{output:?}");
    let below = calls.iter().filter(|call| !call.contains("(AT_FDCWD, ") && !name_of(call).ends_with("open"));
    let mut opened = Vec::new();
    for call in below.filter(|call| call.contains('"')) {
        let name = call.split('"').nth(1).unwrap();
        assert!(!name.contains('/'), "{call}");
        // The empty name is the descriptor itself; `.` and `..` are no links.
        let follows_nothing = call.contains("NOFOLLOW") || ["", "."].contains(&name);
        assert!(follows_nothing, "{call}");
        if name_of(call) == "openat" && !call.contains("O_PATH") {
            assert!(call.contains("O_DIRECTORY"), "{call}");
            opened.push(name.to_owned());
        }
    }
    opened.sort_unstable();
    assert_eq!(opened, [".", "a", "b"]);
}

#[test]
fn a_run_with_nothing_to_change_asks_for_no_change() {
    let root = tree();
    let arguments = [OWNER, "--mode=u=rwX,g=rX,o="];
    let (output, _) = traced(&["-e", "trace=none"], &arguments, root.path());
    assert!(output.status.success(), "{output:?}");
    for flags in [&[][..], &["--verify"], &["--dry-run"]] {
        let (output, calls) = traced(&["-e", "trace=all"], &[&arguments[..], flags].concat(), root.path());
        assert!(output.status.success(), "{output:?}");
        let changes = calls.iter().filter(|call| is_change(call)).collect::<Vec<_>>();
        assert!(changes.is_empty(), "{changes:#?}");
    }
}

/// Some file systems accept a change and ignore it, so each change is followed by one look; nothing else is.
#[test]
fn what_is_changed_is_looked_at_once_more_and_what_is_right_is_not() {
    let root = tempfile::tempdir().unwrap();
    for nth in 0..20 {
        fs::write(root.path().join(nth.to_string()), "").unwrap();
    }
    let looks = || {
        let (output, calls) = traced(&["-e", "trace=statx"], &[OWNER, "--mode=0700", "--threads=1"], root.path());
        assert!(output.status.success(), "{output:?}");
        calls.iter().filter(|call| name_of(call) == "statx" && !call.contains("AT_FDCWD")).count()
    };
    // Before and after each of the 20 changes; the first one was also looked at by its name. The root, last, has 5 to 7 more.
    let first = looks();
    assert!((41..=48).contains(&first), "{first}");
    let second = looks();
    assert!((20..=24).contains(&second), "{second}");
}

#[test]
fn a_default_acl_that_is_ignored_is_a_failure() {
    let root = tempfile::tempdir().unwrap();
    let inject = "inject=fsetxattr:retval=0";
    let arguments = ["--default-acl=u:1000:rwx", "--policy=stamp"];
    let (output, _) = traced(&["-e", "trace=fsetxattr", "-e", inject], &arguments, root.path());
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(77), "{log}");
    assert!(log.contains("the file system accepted the default ACL and keeps another, or none"), "{log}");
    assert!(log.contains("1 seen, 0 changed"), "{log}");
}

#[test]
fn who_only_looks_changes_nothing_that_is_wrong() {
    let root = tree();
    for flags in [&["--verify"][..], &["--dry-run"], &["--verify", "--sample=50"]] {
        let arguments = [&[OWNER, "--mode=0700", "--default-acl=g:7:r", "--policy=stamp"], flags].concat();
        let (_, calls) = traced(&["-e", "trace=all"], &arguments, root.path());
        assert!(calls.iter().any(|call| name_of(call) == "getdents64"), "{calls:#?}");
        let changes = calls.iter().filter(|call| is_change(call)).collect::<Vec<_>>();
        assert!(changes.is_empty(), "{changes:#?}");
    }
}

/// fchmodat2 is call 452, whether strace knows its name or not.
fn is_change(call: &str) -> bool {
    let name = name_of(call);
    ["chown", "chmod", "setxattr", "removexattr", "mkdir", "unlink", "rename", "utime", "0x1c4"]
        .iter()
        .any(|part| name.contains(part))
}

#[test]
fn a_quota_that_is_full_in_the_middle_is_told_and_what_was_done_is_said() {
    let root = tree();
    let inject = "inject=fchownat:error=EDQUOT:when=4+";
    let (output, _) = traced(&["-e", "trace=fchownat", "-e", inject], &[OWNER, "--threads=1"], root.path());
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{log}");
    assert!(log.contains("cannot change the owner: disk quota exceeded, and 8 more; 15 seen, 3 changed"), "{log}");
    assert_eq!(fs::metadata(root.path()).unwrap().uid(), 0);
}

#[test]
fn a_directory_whose_server_has_lost_it_has_not_vanished() {
    let root = tree();
    let inject = "inject=getdents64:error=ESTALE";
    let arguments = [OWNER, "--policy=stamp", "--threads=1"];
    let (output, _) = traced(&["-e", "trace=getdents64", "-e", inject], &arguments, root.path());
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{log}");
    assert_eq!(fs::metadata(root.path()).unwrap().uid(), 0);
    assert!(log.contains("stale file handle"), "{log}");
}

#[test]
fn a_disk_error_while_names_are_read_is_told_with_the_directory() {
    let root = tree();
    let inject = "inject=getdents64:error=EIO:when=3";
    let (output, _) = traced(&["-e", "trace=getdents64", "-e", inject], &[OWNER, "--threads=1"], root.path());
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{log}");
    assert!(log.contains("cannot look at it: input/output error"), "{log}");
}
