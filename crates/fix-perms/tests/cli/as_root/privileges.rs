//! `--as UID:GID -- COMMAND`: the app starts with that user, that group and nothing else.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Ended, Program, Tree, entry, fix_perms, last_words, mode, set_mode, set_owner};

/// Prints what a process may do.
const STATUS: [&str; 2] = ["/bin/cat", "/proc/self/status"];
const NONE: &str = "0000000000000000";
const CAPABILITIES: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
/// What setpriv(1) starts as nobody in particular, who may do nothing
const ORDINARY: [&str; 4] = ["--reuid=1000", "--regid=1000", "--inh-caps=-all", "--bounding-set=-all"];

/// What setpriv(1) starts with these flags: fix-perms, with a mode, on the tree.
fn behind_setpriv(flags: &[&str], tree: &Tree, user: &str, command: &[&str]) -> Command {
    let path = tree.path();
    let inside = fix_perms(&[&["--mode", "u=rwX,go=", "--as", user, &path, "--"], command].concat());
    let mut setpriv = Command::new("setpriv");
    setpriv.env_clear().args(flags).arg("--").arg(inside.get_program()).args(inside.get_args());
    setpriv
}

#[track_caller]
fn run_behind_setpriv(flags: &[&str], tree: &Tree, user: &str, command: &[&str]) -> Ended {
    Program::start(&mut behind_setpriv(flags, tree, user, command)).end()
}

/// What the COMMAND was: the rows of /proc/PID/status (proc(5)).
#[track_caller]
fn status(ended: &Ended) -> BTreeMap<&str, Vec<&str>> {
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let rows = ended.stdout.lines().filter_map(|line| line.split_once(':'));
    rows.map(|(name, values)| (name, values.split_whitespace().collect())).collect()
}

#[track_caller]
fn assert_is(status: &BTreeMap<&str, Vec<&str>>, user: &str, group: &str) {
    assert_eq!((&status["Uid"], &status["Gid"]), (&vec![user; 4], &vec![group; 4]));
    assert_eq!(status["Groups"], Vec::<&str>::new());
    assert_eq!(status["NoNewPrivs"], ["1"]);
    for name in CAPABILITIES.into_iter().filter(|name| *name != "CapBnd") {
        assert_eq!(status[name], [NONE], "{name}");
    }
}

/// A tree and all on the way to it, as an ordinary user's own
fn ordinary_tree() -> Tree {
    let tree = Tree::new(&["a"]);
    for path in [tree.beside(""), tree.root(), tree.join("a")] {
        set_owner(&path, 1000, 1000);
    }
    tree
}

/// A copy of a program. Another process makes it: while this one had it open for writing, a child
/// of another test would too, and nobody could run it.
#[track_caller]
fn copy(program: &str, path: &Path, mode: u32) -> PathBuf {
    assert!(Command::new("cp").arg(program).arg(path).status().unwrap().success());
    set_mode(path, mode);
    path.to_owned()
}

/// The binary where an ordinary user can reach it, wherever this was built
fn reachable_binary(tree: &Tree) -> PathBuf {
    copy(env!("CARGO_BIN_EXE_fix-perms"), &tree.beside("fix-perms"), 0o755)
}

#[track_caller]
fn run_as_ordinary(groups: &str, user: &str) -> (Tree, Ended) {
    let tree = ordinary_tree();
    let binary = reachable_binary(&tree);
    let mut command = Command::new("setpriv");
    command.env_clear().args(ORDINARY).arg(groups).arg("--").arg(binary);
    command.args(["--mode", "u=rwX,go=", "--as", user, &tree.path(), "--"]).args(STATUS);
    let ended = Program::start(&mut command).end();
    (tree, ended)
}

#[test]
fn the_app_is_that_user_with_that_group_and_nothing_else() {
    super::need_root();
    for flags in
        [&["--groups=5,6,7"][..], &["--clear-groups"], &["--inh-caps=+chown,+setuid", "--ambient-caps=+chown,+setuid"]]
    {
        let tree = Tree::new(&["a"]);
        let ended = run_behind_setpriv(flags, &tree, "1000:2000", &STATUS);
        let status = status(&ended);
        assert_is(&status, "1000", "2000");
        assert_eq!(status["CapBnd"], [NONE]);
        assert_eq!(mode(&tree.join("a")), 0o600, "the work was done before");
    }
}

#[test]
fn a_root_that_becomes_root_has_no_privilege_left() {
    super::need_root();
    let ended = run_behind_setpriv(&["--groups=5,6"], &Tree::new(&["a"]), "0:0", &STATUS);
    let status = status(&ended);
    assert_is(&status, "0", "0");
    assert_eq!(status["CapBnd"], [NONE]);
}

#[test]
fn who_may_not_bound_capabilities_loses_all_that_it_has_all_the_same() {
    super::need_root();
    for user in ["0:0", "1000:2000"] {
        let ended = run_behind_setpriv(&["--bounding-set=-setpcap"], &Tree::new(&["a"]), user, &STATUS);
        let (user, group) = user.split_once(':').unwrap();
        assert_is(&status(&ended), user, group);
    }
}

#[test]
fn a_program_with_set_id_bits_gives_nothing_back() {
    super::need_root();
    let tree = Tree::new(&[]);
    set_mode(&tree.beside(""), 0o755);
    let program = copy("/bin/cat", &tree.beside("cat"), 0o6755);
    // A shell becomes it, so that the first program has no such bits.
    let script = format!("exec {} /proc/self/status", program.display());
    let ended = run_behind_setpriv(&["--clear-groups"], &tree, "1000:2000", &["/bin/sh", "-c", &script]);
    assert_is(&status(&ended), "1000", "2000");
}

#[test]
fn names_are_taken_from_passwd_and_group() {
    super::need_root();
    let ended = run_behind_setpriv(&["--clear-groups"], &Tree::new(&["a"]), "root:root", &STATUS);
    assert_is(&status(&ended), "0", "0");
}

#[test]
fn without_as_the_app_keeps_what_fix_perms_has() {
    super::need_root();
    let tree = Tree::new(&["a"]);
    let alone = Program::start(Command::new(STATUS[0]).arg(STATUS[1]).env_clear()).end();
    let ended = Program::start(&mut fix_perms(&[&["--mode", "0700", &tree.path(), "--"], &STATUS[..]].concat())).end();
    for name in CAPABILITIES.into_iter().chain(["Uid", "Gid", "Groups", "NoNewPrivs"]) {
        assert_eq!(status(&ended)[name], status(&alone)[name], "{name}");
    }
}

#[test]
fn who_may_not_become_another_is_told_what_to_add() {
    super::need_root();
    for (lacking, missing) in [
        ("--bounding-set=-setuid,-setgid", &["SETUID", "SETGID"][..]),
        ("--bounding-set=-setuid", &["SETUID"]),
        ("--bounding-set=-setgid", &["SETGID"]),
    ] {
        let tree = Tree::new(&["a"]);
        let before = mode(&tree.join("a"));
        let ended = run_behind_setpriv(&["--clear-groups", lacking], &tree, "1000:2000", &["/bin/echo", "ran"]);
        let start = format!(r#"reason=denied last="cannot become 1000:2000: CAP_{} "#, missing.join(" and CAP_"));
        ended.ended_with(77, &start);
        let remedy = format!("securityContext: {{capabilities: {{add: [{}]}}}}\"", missing.join(", "));
        assert!(last_words(&ended).ends_with(&remedy), "{lacking}: {ended:#?}");
        assert_eq!(ended.stdout, "", "{lacking}");
        assert_eq!(mode(&tree.join("a")), before, "{lacking}: nothing is changed before");
    }
}

#[test]
fn who_is_that_user_already_needs_no_capability() {
    super::need_root();
    let (tree, ended) = run_as_ordinary("--clear-groups", "1000:1000");
    let status = status(&ended);
    assert_is(&status, "1000", "1000");
    assert_eq!(status["CapBnd"], [NONE]);
    assert_eq!(entry(&tree.join("a")).mode & 0o7777, 0o600);
}

#[test]
fn who_has_its_own_group_as_another_one_too_needs_no_capability() {
    super::need_root();
    let (_, ended) = run_as_ordinary("--groups=1000", "1000:1000");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn who_cannot_lose_its_other_groups_is_denied() {
    super::need_root();
    for (groups, user) in
        [("--groups=7", "1000:1000"), ("--clear-groups", "1000:2000"), ("--clear-groups", "2000:1000")]
    {
        let (_, ended) = run_as_ordinary(groups, user);
        ended.ended_with(77, &format!(r#"reason=denied last="cannot become {user}: "#));
        assert_eq!(ended.stdout, "", "{groups} {user}");
    }
}

#[test]
fn the_app_does_not_start_as_anybody_when_the_work_failed() {
    super::need_root();
    let mut command =
        fix_perms(&["--mode", "0700", "--as", "1000:2000", "/proc/self/status", "--", "/bin/echo", "ran"]);
    let ended = Program::start(&mut command).end();
    ended.ended_with(77, r#"reason=denied what="/proc/self/status" last="cannot change the mode: "#);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_command_that_cannot_be_reached_as_that_user_is_126() {
    super::need_root();
    let tree = Tree::new(&["a"]);
    let program = copy("/bin/true", &tree.beside("app"), 0o700);
    set_mode(&tree.beside(""), 0o755);
    let ended = run_behind_setpriv(&["--clear-groups"], &tree, "1000:2000", &[program.to_str().unwrap()]);
    ended.ended_with(126, &format!(r#"reason=cannot-run what="{}" last="permission denied"#, program.display()));
}
