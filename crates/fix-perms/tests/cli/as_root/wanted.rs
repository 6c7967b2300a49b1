//! What is wanted: private entries, default ACLs, directories that are made.

use std::{fs, os::unix::fs::symlink, path::Path};

use rustix::fs::{getxattr, lgetxattr};

use super::need_root;
use crate::support::{Tree, done, mode, run, set_mode};

const OWNER: &str = "--owner=1000:1000";

#[test]
fn private_entries_stay_private() {
    need_root();
    for wanted in [&["--mode=0664"][..], &["--mode=a+rwX"], &["--fs-group=3000"]] {
        let tree = Tree::new(&["pgdata/PG_VERSION", "ssh/id_ed25519", "shared"]);
        set_mode(&tree.join("pgdata"), 0o700);
        set_mode(&tree.join("ssh/id_ed25519"), 0o600);
        done(&[wanted, &["--private", &tree.path()]].concat());
        assert_eq!(
            (mode(&tree.join("pgdata")) & 0o077, mode(&tree.join("ssh/id_ed25519")) & 0o077),
            (0, 0),
            "{wanted:?}"
        );
        assert_ne!(mode(&tree.join("shared")) & 0o077, 0);
    }
}

fn default_acl(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = [0; 200];
    let length = getxattr(path, "system.posix_acl_default", &mut bytes).ok()?;
    Some(bytes[..length].to_vec())
}

#[test]
fn a_default_acl_is_on_every_directory_and_counts_for_what_is_made_later() {
    need_root();
    let tree = Tree::new(&["a/b/c", "private/"]);
    set_mode(&tree.join("private"), 0o700);
    let arguments = ["--private", "--default-acl=g:3000:rwx,o::-", &tree.path()];
    let ended = done(&arguments.map(|argument| argument as &str));
    assert_eq!(ended.message("looked at")["changed"], 3);
    for name in ["", "a", "a/b"] {
        assert!(default_acl(&tree.join(name)).is_some(), "{name}");
    }
    assert_eq!(default_acl(&tree.join("private")), None);
    fs::write(tree.join("a/b/later"), "").unwrap();
    assert!(lgetxattr(tree.join("a/b/later"), "system.posix_acl_access", &mut [0; 200]).is_ok());
    let before = tree.entries();
    done(&arguments.map(|argument| argument as &str));
    assert_eq!(tree.entries(), before);
    done(&["--private", "--verify", "--default-acl=g:3000:rwx,o::-", &tree.path()]);
    let ended = run(&["--verify", "--default-acl=g:3000:rx,o::-", "--exclude=private", &tree.path()]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("/a/b: another default ACL\n"), "{}", ended.stdout);
}

#[test]
fn a_file_system_without_acls_is_named() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["fs/"]);
        super::mount(&["-t", "ramfs", "none"], Path::new(""), &tree.join("fs"));
        let ended = run(&["--default-acl=u::rwx", tree.join("fs").to_str().unwrap()]);
        let words =
            "cannot set the default ACL: the file system has no ACLs: leave --default-acl out, or mount it with acl";
        ended.ended_with(1, "reason=failed");
        assert!(ended.last_line().contains(words), "{ended:#?}");
    });
}

#[test]
fn missing_directories_are_made_with_owner_and_mode() {
    need_root();
    let tree = Tree::new(&["there/"]);
    let path = tree.join("there/a/b/c").display().to_string();
    done(&[OWNER, "--mode=u=rwX,g=rX,o=", "--create", &path]);
    for name in ["there/a", "there/a/b", "there/a/b/c"] {
        let entry = tree.entry(name);
        assert_eq!((entry.owner, entry.mode & 0o7777), ((1000, 1000), 0o750), "{name}");
    }
    assert_eq!(tree.entry("there").owner, (0, 0));
    let before = tree.entries();
    done(&[OWNER, "--mode=u=rwX,g=rX,o=", "--create", &path]);
    assert_eq!(tree.entries(), before);
}

#[test]
fn a_made_directory_without_a_wanted_mode_is_as_mkdir_makes_it() {
    need_root();
    let tree = Tree::new(&[]);
    set_mode(&tree.root(), 0o2775);
    done(&["--create", tree.join("a/b").to_str().unwrap()]);
    assert_eq!((mode(&tree.join("a")), mode(&tree.join("a/b"))), (0o2755, 0o2755));
}

#[test]
fn nothing_is_made_through_a_link_that_was_swapped_in_or_by_those_who_only_look() {
    need_root();
    let tree = Tree::new(&["real/"]);
    symlink("real", tree.join("link")).unwrap();
    let path = tree.join("link/a").display().to_string();
    let ended = run(&["--create", "--no-symlinks", &path]);
    assert_eq!(ended.code, Some(64), "{ended:#?}");
    assert!(!tree.join("real/a").exists());
    let ended = done(&["--create", "--dry-run", &path]);
    assert_eq!(ended.stdout, format!("{path}: does not exist → is made\n"));
    run(&["--create", "--verify", &path])
        .ended_with(1, &format!(r#"reason=failed what="{path}" last="does not exist"#));
    let back = tree.join("new/../../outside").display().to_string();
    run(&["--create", &back]).ended_with(64, "reason=usage");
    assert!(!tree.join("real/a").exists() && !tree.beside("outside").exists());
}

#[test]
fn a_mode_that_closes_directories_is_warned_of() {
    need_root();
    let tree = Tree::new(&["a/b"]);
    let warning = "directories cannot be entered with this mode";
    let ended = done(&["--mode=640", &tree.path()]);
    assert_eq!((mode(&tree.join("a")), &ended.message(warning)["mode"]), (0o640, &"0640".into()));
    let remedy = "write X, as in u=rwX,g=rX,o=, or set directories apart with --dir-mode";
    assert_eq!(ended.message(warning)["remedy"], remedy);
    for quiet in [&["--mode=640", "--dir-mode=750"][..], &["--file-mode=640"], &["--mode=u=rwX,g=rX,o="]] {
        let ended = done(&[quiet, &[&tree.path()]].concat());
        assert!(ended.messages(warning).is_empty(), "{ended:#?}");
    }
}

#[test]
fn a_sample_looks_at_as_many_entries_as_were_asked_for() {
    need_root();
    let tree = Tree::new(&["1/", "2/", "3/", "4/", "5/"]);
    let wrong = ["--verify", "--sample=3", "--mode=0700", "--max-depth=2"];
    set_mode(&tree.root(), 0o700);
    for _ in 0..20 {
        let ended = run(&[&wrong[..], &[&tree.path()]].concat());
        assert_eq!((ended.code, &ended.message("looked at")["seen"]), (Some(1), &4.into()), "{ended:#?}");
    }
}

#[test]
fn a_sample_looks_at_the_root_once() {
    need_root();
    let tree = Tree::new(&[]);
    let ended = run(&["--verify", "--sample=5", OWNER, &tree.path()]);
    assert_eq!((ended.stdout.lines().count(), &ended.message("looked at")["different"]), (1, &1.into()), "{ended:#?}");
}

#[test]
fn a_dry_run_says_that_a_file_system_is_read_only() {
    need_root();
    harness::with_own_mounts(|| {
        let tree = Tree::new(&["a"]);
        super::mount(&["--bind", "-o", "ro"], &tree.root(), &tree.root());
        let ended = done(&["--dry-run", OWNER, &tree.path()]);
        assert_eq!(ended.message("changes there will be refused")["reason"], "the file system of PATH is read-only");
    });
}

#[test]
fn a_report_has_whole_paths_and_the_log_has_not() {
    need_root();
    let name = "x".repeat(200);
    let tree = Tree::new(&[&format!("{name}/{name}/")]);
    let path = tree.join(&format!("{name}/{name}")).display().to_string();
    assert!(
        run(&["--verify", "--output=json", OWNER, &tree.path()]).stdout.contains(&format!("{{\"path\":\"{path}\""))
    );
    let ended = run(&["--verify", OWNER, &path]);
    let last = ended.last_line();
    assert!(last.contains("xxx…xxx") && !last.contains(&name), "{last}");
}

#[test]
fn a_directory_that_became_private_during_the_run_is_not_widened() {
    need_root();
    harness::until("a run is stopped in its middle", become_private);
}

fn become_private() -> Option<()> {
    // A directory is set right when it is left: by then it may be another than when it was opened.
    let names: Vec<_> = (0..20_000).map(|nth| format!("d/{nth}")).collect();
    let tree = Tree::new(&["d/"]);
    for name in &names {
        fs::File::create(tree.join(name)).unwrap();
    }
    let arguments = ["--mode=u=rwX,g=rwX,o=", "--private", "--threads=1", &tree.path()];
    let mut program = harness::Program::start(&mut crate::support::fix_perms(&arguments));
    program.wait_for_message("fix-perms starts");
    harness::until("files are changed", || names.iter().any(|name| mode(&tree.join(name)) == 0o660).then_some(()));
    program.signal(harness::Signal::STOP);
    // None when it has left the directory already
    let was_in_time = mode(&tree.join("d")) == 0o755;
    set_mode(&tree.join("d"), 0o700);
    program.signal(harness::Signal::CONT);
    assert_eq!(program.end().code, Some(0));
    if was_in_time {
        assert_eq!(mode(&tree.join("d")), 0o700);
    }
    was_in_time.then_some(())
}
