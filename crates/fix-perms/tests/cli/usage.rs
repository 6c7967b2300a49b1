//! Bad input: the exact message for each mistake, and the help. `UPDATE_SNAPSHOTS=1` rewrites the
//! snapshots.

use std::{os::unix::fs::symlink, path::Path};

use crate::support::{Ended, Tree, done, last_words, mode, run, run_beside, run_with};

const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/snapshots");

/// Compares with `snapshots/NAME.txt`.
#[track_caller]
fn assert_snapshot(name: &str, text: &str) {
    harness::assert_snapshot(Path::new(SNAPSHOTS), name, text);
}

#[track_caller]
fn assert_usage_error(name: &str, arguments: &[&str]) {
    harness::assert_usage_error(Path::new(SNAPSHOTS), name, &run(arguments));
}

/// It ended with 64 and these words, and nothing in the tree was touched meanwhile.
#[track_caller]
pub(crate) fn assert_refused(tree: &Tree, arguments: &[&str], words: &str) -> Ended {
    let before = tree.entries();
    let ended = run_beside(tree, arguments);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{ended:#?}");
    assert_eq!(last_words(&ended), format!("usage last={words:?}"), "{arguments:?}");
    assert_eq!(tree.entries(), before, "{arguments:?}");
    ended
}

#[test]
fn help_is_printed_on_stdout() {
    for flag in ["--help", "-h"] {
        let ended = run(&[flag]);
        assert_eq!((ended.code, ended.log.len()), (Some(0), 0), "{ended:#?}");
        assert_snapshot(flag.trim_start_matches('-'), &ended.stdout);
    }
}

#[test]
fn the_short_help_fits_on_a_screen_and_names_only_flags_that_there_are() {
    harness::assert_summary(&run(&["-h"]).stdout, &run(&["--help"]).stdout);
}

#[test]
fn help_is_a_command_too() {
    assert_eq!(done(&["help"]).stdout, done(&["--help"]).stdout);
    assert_eq!(done(&["help", "check"]).stdout, done(&["check", "--help"]).stdout);
    run(&["help", "nothing"])
        .ended_with(64, r#"reason=usage last="help knows no such command; --help lists all commands""#);
    let tree = Tree::new(&["help/"]);
    done(&["--mode", "0700", tree.join("help").to_str().unwrap()]);
    assert_eq!(mode(&tree.join("help")), 0o700);
}

#[test]
fn the_version_is_printed_on_stdout() {
    let ended = run(&["--version"]);
    let version = concat!("fix-perms ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((ended.code, ended.stdout.as_str(), ended.log.len()), (Some(0), version, 0));
}

#[test]
fn no_path() {
    assert_usage_error("no-path", &["--mode", "0700"]);
    assert_usage_error("no-path-but-a-command", &["--mode", "0700", "--", "/app"]);
    assert_usage_error("empty-path", &["--mode", "0700", ""]);
}

#[test]
fn an_unknown_flag() {
    assert_usage_error("unknown-flag", &["--recursive", "--mode", "0700", "/data"]);
    assert_usage_error("misspelt-flag", &["--ower", "1000", "/data"]);
}

#[test]
fn an_owner_that_nobody_knows() {
    assert_usage_error("unknown-user", &["--owner", "nobody-here", "/data"]);
    assert_usage_error("unknown-group", &["--owner", "1000:no-group", "/data"]);
    assert_usage_error("unknown-login-group", &["--owner", "4000000:", "/data"]);
    assert_usage_error("owner-nobody", &["--owner", ":", "/data"]);
    assert_usage_error("owner-too-high", &["--owner", "4294967295", "/data"]);
    assert_usage_error("unknown-fs-group", &["--fs-group", "no-group", "/data"]);
}

#[test]
fn a_mode_that_is_none() {
    assert_usage_error("bad-mode", &["--mode", "rwxr-x---", "/data"]);
    assert_usage_error("bad-dir-mode", &["--dir-mode", "0o750", "/data"]);
    assert_usage_error("bad-file-mode", &["--file-mode", "888", "/data"]);
    assert_usage_error("unstable-mode", &["--mode", "g=u,u=o", "/data"]);
}

#[test]
fn an_acl_that_is_none() {
    assert_usage_error("bad-acl", &["--default-acl", "u:1000", "/data"]);
    assert_usage_error("bad-acl-user", &["--default-acl", "u:nobody-here:rwx", "/data"]);
    assert_usage_error("acl-entry-twice", &["--default-acl", "u::rwx,u::r", "/data"]);
}

#[test]
fn a_label_that_is_none() {
    assert_usage_error("bad-label", &["--selinux-label", "container_file_t", "/data"]);
}

#[test]
fn a_pattern_that_is_none() {
    assert_usage_error("bad-exclude", &["--exclude", "cache[", "--mode", "0700", "/data"]);
    assert_usage_error("empty-exclude", &["--exclude", "", "--mode", "0700", "/data"]);
}

#[test]
fn a_flag_whose_value_is_wrong() {
    for (name, flag, value) in [
        ("zero-threads", "--threads", "0"),
        ("too-many-threads", "--threads", "65"),
        ("bad-policy", "--policy", "sometimes"),
        ("bad-hard-links", "--hard-links", "both"),
        ("bad-on-denied", "--on-denied", "ignore"),
        ("bad-output", "--output", "yaml"),
        ("bad-max-depth", "--max-depth", "all"),
    ] {
        assert_usage_error(name, &[flag, value, "--mode", "0700", "/data"]);
    }
}

#[test]
fn a_flag_that_needs_another_or_excludes_it() {
    let tree = Tree::new(&["a"]);
    let refused =
        |flags: &[&str], words: &str| assert_refused(&tree, &[flags, &["--mode", "0700", "data"]].concat(), words);
    refused(&["--sample", "10"], "--sample goes with --verify");
    refused(&["--verify", "--dry-run"], "--verify and --dry-run are two ways to look: give one");
    let opposite = "no-symlinks and follow-root say opposite things: give one of them";
    refused(&["--no-symlinks", "--follow-root"], opposite);
    let words = "--dry-run sets nothing right, so COMMAND would start on what is wrong: leave one of them out";
    assert_refused(&tree, &["--dry-run", "--mode", "0700", "data", "--", "/bin/true"], words);
    let (_directory, file) = harness::config_file("volumes: [{path: data, mode: '0700'}]\n");
    let words = "flags and variables of volumes hold for each PATH, and there is none: name one, or write them into the \
                 file of --config";
    for flags in [
        &["--owner", "0"][..],
        &["--exclude", "keys"],
        &["--max-depth", "0"],
        &["--skip-read-only"],
        &["--policy", "stamp"],
        &["--policy", "always"],
        &["--hard-links", "leave"],
        &["--on-denied", "fail"],
    ] {
        assert_refused(&tree, &[&["--config", &file], flags].concat(), words);
    }
    assert_usage_error("as-without-a-command", &["--mode", "0700", "--as", "1000:1000", "/data"]);
}

#[test]
fn a_user_to_become_without_a_group() {
    for (name, user) in [("as-user-alone", "1000"), ("as-group-alone", ":1000"), ("as-unknown-user", "nobody-here:0")] {
        assert_usage_error(name, &["--mode", "0700", "--as", user, "/data", "--", "/bin/true"]);
    }
}

#[test]
fn nothing_is_wanted() {
    let tree = Tree::new(&["a"]);
    let words = "nothing is wanted: give owner, mode, fs-group, default-acl, selinux-label or create";
    assert_refused(&tree, &["data"], words);
    assert_refused(&tree, &["--private", "--links", "--verify", "data"], words);
}

#[test]
fn a_misspelt_command_or_an_owner_in_the_place_of_a_path() {
    let tree = Tree::new(&["a"]);
    for (word, near) in [("chek", "check"), ("shema", "schema"), ("completion", "completions"), ("hlep", "help")] {
        let words = format!("nothing is wanted of the PATH {word}; did you mean the command {near}?");
        assert_refused(&tree, &[word, "data"], &words);
    }
    let owner = "stands where a PATH belongs: an owner is written as --owner";
    for word in ["1000:1000", ":1000"] {
        for paths in [[word, "data"], ["data", word]] {
            assert_refused(&tree, &paths, &format!("{word} {owner} {word}"));
        }
    }
    // A PATH with such a name is still a PATH when something is wanted.
    let ended = run_beside(&tree, &["--mode", "0700", "--create", "chek"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn a_group_of_the_kubelet_goes_without_owner_and_modes() {
    let tree = Tree::new(&["a"]);
    assert_refused(&tree, &["--read-only", "--mode", "0700", "data"], "read-only goes with fs-group: name the group");
    let words = "fs-group takes the place of owner and modes: give the one or the others";
    for (flag, value) in [("--owner", "0"), ("--mode", "0700"), ("--dir-mode", "0700"), ("--file-mode", "0600")] {
        assert_refused(&tree, &["--fs-group", "2000", flag, value, "data"], words);
    }
}

#[test]
fn a_path_that_does_not_exist() {
    let tree = Tree::new(&["a"]);
    let advice = "does not exist: is the volume mounted there? --create makes a missing directory";
    for path in ["none", "data/none", "none/deeper"] {
        let command = if path.contains('/') { "" } else { "; a command stands behind --" };
        assert_refused(&tree, &["--mode", "0700", path], &format!("{path} {advice}{command}"));
    }
}

#[test]
fn no_tree_is_touched_while_another_path_is_a_mistake() {
    let tree = Tree::new(&["a", "b/c"]);
    let advice = "does not exist: is the volume mounted there? --create makes a missing directory";
    for paths in [["data", "none"], ["none", "data"]] {
        let words = format!("none {advice}; a command stands behind --");
        assert_refused(&tree, &["--mode", "0700", paths[0], paths[1]], &words);
    }
    let words = "data/a/x leads through something that is no directory";
    assert_refused(&tree, &["--create", "--mode", "0700", "data/new", "data/a/x"], words);
}

#[test]
fn the_root_of_the_file_system() {
    let tree = Tree::new(&[]);
    symlink("/", tree.beside("top")).unwrap();
    // Looks only: should it be taken after all, the machine stays whole.
    let careful = ["--dry-run", "--max-depth", "0", "--mode", "0755"];
    let advice = "is the root of the file system: name a volume, or give --allow-root";
    for (path, name) in [("/", "/"), ("//", "/"), ("/.", "/"), ("/tmp/..", "/tmp/.."), ("top/tmp/..", "top/tmp/..")] {
        assert_refused(&tree, &[&careful[..], &[path]].concat(), &format!("{name} {advice}"));
    }
    // Neither a slash nor a dot at its end makes a link a directory.
    for path in ["top", "top/", "top/."] {
        let advice = "top is a symbolic link: name what it leads to, or give --follow-root";
        assert_refused(&tree, &[&careful[..], &[path]].concat(), advice);
    }
    assert_refused(&tree, &[&careful[..], &["--follow-root", "top"]].concat(), &format!("top {advice}"));
    done(&[&careful[..], &["--allow-root", "/"]].concat());
}

#[test]
fn a_path_that_is_a_symbolic_link() {
    let tree = Tree::new(&["a"]);
    symlink("data", tree.beside("link")).unwrap();
    let words = "link is a symbolic link: name what it leads to, or give --follow-root";
    assert_refused(&tree, &["--mode", "u=rwX,go=", "link"], words);
    assert_refused(&tree, &["--no-symlinks", "--mode", "u=rwX,go=", "link"], words);
    let ended = run_beside(&tree, &["--follow-root", "--mode", "u=rwX,go=", "link"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!((mode(&tree.root()), mode(&tree.join("a"))), (0o700, 0o600));
}

#[test]
fn a_path_that_leads_through_a_symbolic_link() {
    let tree = Tree::new(&["sub/a"]);
    symlink("data", tree.beside("link")).unwrap();
    let words = "link/sub leads through a symbolic link: name where it leads";
    assert_refused(&tree, &["--no-symlinks", "--mode", "u=rwX,go=", "link/sub"], words);
    let ended = run_beside(&tree, &["--mode", "u=rwX,go=", "link/sub"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!((mode(&tree.root()), mode(&tree.join("sub/a"))), (0o755, 0o600));
}

#[test]
fn a_path_that_leads_through_a_file() {
    let tree = Tree::new(&["a"]);
    for flags in [&["--mode", "0700"][..], &["--create", "--mode", "0700"]] {
        let words = "data/a/b leads through something that is no directory";
        assert_refused(&tree, &[flags, &["data/a/b"]].concat(), words);
    }
}

#[test]
fn a_misspelt_variable() {
    let ended = run_with(&[("SIDEKIT_FIX_PERMS_OWNR", "1000")], &["/data"]);
    let words = "unknown variable SIDEKIT_FIX_PERMS_OWNR; did you mean SIDEKIT_FIX_PERMS_OWNER?";
    assert_eq!(last_words(&ended), format!("usage last={words:?}"), "{ended:#?}");
    let ended = run_with(&[("SIDEKIT_FIX_PERMS_RECURSIVE", "1")], &["/data"]);
    ended.ended_with(64, r#"reason=usage last="unknown variable SIDEKIT_FIX_PERMS_RECURSIVE"#);
}
