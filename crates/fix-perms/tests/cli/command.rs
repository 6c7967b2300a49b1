//! COMMAND: fix-perms becomes it once all is right, with all that the app would have had without
//! fix-perms.

use std::{
    io::{Read, Seek, Write},
    process::{Command, Stdio},
};

use tempfile::NamedTempFile;

use crate::support::{Ended, LongWalk, Program, Signal, Tree, fix_perms, mode, run};

/// What fix-perms does to a tree with this COMMAND behind it.
fn with_command(tree: &Tree, command: &[&str]) -> Command {
    fix_perms(&[&["--mode", "u=rwX,go=", &tree.path(), "--"], command].concat())
}

#[track_caller]
fn run_command(tree: &Tree, command: &[&str]) -> Ended {
    Program::start(&mut with_command(tree, command)).end()
}

#[test]
fn the_command_takes_over_the_process_and_its_exit_code_is_its_own() {
    let tree = Tree::new(&["a"]);
    let program = Program::start(&mut with_command(&tree, &["/bin/sh", "-c", "echo $$; exit 42"]));
    let id = program.id();
    let ended = program.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(42), &*format!("{id}\n")), "{ended:#?}");
    assert_eq!(ended.last_line(), "looked at", "no last words: {ended:#?}");
}

#[test]
fn the_command_finds_everything_right() {
    let tree = Tree::new(&["a", "b/c"]);
    let script = r#"stat -c %a "$1" "$1/a" "$1/b" "$1/b/c""#;
    let mut command = with_command(&tree, &["/bin/sh", "-c", script, "app", &tree.path()]);
    let ended = Program::start(command.env("PATH", "/usr/bin:/bin")).end();
    assert_eq!(ended.stdout, "700\n600\n700\n600\n", "{ended:#?}");
}

#[test]
fn a_signal_that_ends_the_command_is_its_own() {
    let ended = run_command(&Tree::new(&["a"]), &["/bin/sh", "-c", "kill -KILL $$"]);
    assert_eq!((ended.code, ended.signal), (None, Some(9)));
}

#[test]
fn the_command_has_the_whole_environment() {
    let variables = [("APP_MODE", "production"), ("EMPTY", ""), ("SIDEKIT_FIX_PERMS_PRIVATE", "1")];
    let tree = Tree::new(&["a"]);
    let ended = Program::start(with_command(&tree, &["/usr/bin/env"]).envs(variables)).end();
    let mut lines: Vec<_> = ended.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["APP_MODE=production", "EMPTY=", "SIDEKIT_FIX_PERMS_PRIVATE=1"]);
}

#[test]
fn the_command_has_the_same_standard_input() {
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(b"skipped, then read by the command\n").unwrap();
    input.rewind().unwrap();
    input.read_exact(&mut [0; 14]).unwrap();
    let tree = Tree::new(&["a"]);
    let ended = Program::start(with_command(&tree, &["/bin/cat"]).stdin(Stdio::from(input))).end();
    assert_eq!(ended.stdout, "read by the command\n");
}

#[test]
fn the_command_inherits_no_file_of_ours() {
    let tree = Tree::new(&["a", "b/c/d/e"]);
    let script = ["/bin/sh", "-c", "cd /proc/$$/fd; echo *"];
    let mut alone = Command::new(script[0]);
    let alone = Program::start(alone.args(&script[1..]).env_clear()).end();
    assert_eq!(run_command(&tree, &script).stdout, alone.stdout);
}

#[test]
fn a_command_that_does_not_exist_is_127() {
    let tree = Tree::new(&["a"]);
    let ended = run_command(&tree, &["/none/app"]);
    ended.ended_with(127, r#"reason=not-found what="/none/app" last="no such file or directory"#);
    assert_eq!(mode(&tree.root()), 0o700, "the work is done");
}

#[test]
fn a_command_that_cannot_run_is_126() {
    let file = NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let ended = run_command(&Tree::new(&["a"]), &[path]);
    ended.ended_with(126, &format!(r#"reason=cannot-run what="{path}" last="permission denied"#));
}

#[test]
fn the_command_does_not_run_when_something_is_wrong() {
    let tree = Tree::new(&["a"]);
    let path = tree.path();
    for (code, arguments) in [
        (1, &["--verify", "--mode", "0700", &path][..]),
        (64, &["--mode", "0700", &path, "/none"]),
        (64, &["--mode", "rwx", &path]),
        (64, &[&path]),
        (78, &["--config", "/none.yaml"]),
    ] {
        let ended = run(&[arguments, &["--", "/bin/echo", "ran"]].concat());
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert!(!ended.stdout.contains("ran"), "{ended:#?}");
    }
    let ended = run(&["--verify", "--mode", "u=rwX,go=rX", &path, "--", "/bin/echo", "ran"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "ran\n"), "{ended:#?}");
}

#[test]
fn the_command_does_not_run_when_a_change_failed() {
    // Nobody may change what the kernel shows of itself.
    let ended = run(&["--mode", "0700", "/proc/self/status", "--", "/bin/echo", "ran"]);
    ended.ended_with(
        77,
        r#"reason=denied what="/proc/self/status" last="cannot change the mode: operation not permitted"#,
    );
    assert_eq!(ended.stdout, "");
}

#[test]
fn who_is_told_to_stop_does_not_start_the_command() {
    let walk = LongWalk::new(2_000);
    let mut command = walk.fix_perms(&["--mode", "u=rwX,go="]);
    let mut program = Program::start(command.args(["--", "/bin/echo", "ran"]));
    program.wait_for_message("looked at");
    program.signal(Signal::TERM);
    let ended = program.end();
    ended.ended_with(143, "reason=stopped");
    assert_eq!(ended.stdout, "");
}
