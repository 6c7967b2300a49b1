//! As PID 1 of a PID namespace, as in a pod: no shell, no default actions for signals.

use std::path::PathBuf;

use harness::{id_of_pid_one, send, start_as_pid_one};

use crate::support::{Ended, LongWalk, Program, Signal, Tree, done, fix_perms, last_words, mode, until};

/// The two counts of `stopped after 12 seen, 3 changed`
#[track_caller]
fn counts(ended: &Ended) -> (usize, usize) {
    let counts = last_words(ended).strip_prefix(r#"stopped last="stopped after "#);
    let counts = counts.and_then(|words| words.strip_suffix(r#" changed""#)?.split_once(" seen, "));
    let (seen, changed) = counts.unwrap_or_else(|| panic!("{ended:#?}"));
    (seen.parse().unwrap(), changed.parse().unwrap())
}

#[test]
fn a_stop_signal_ends_the_work_and_what_was_done_is_told() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let walk = LongWalk::new(2_000);
        let mut program = start_as_pid_one(&walk.fix_perms(&["--mode", "u=rwX,go="]));
        program.wait_for_message("looked at");
        let id = id_of_pid_one(&program);
        send(id, Signal::HUP);
        send(id, signal);
        let ended = program.end();
        ended.ended_with(code, "reason=stopped");
        let (seen, changed) = counts(&ended);
        assert_eq!(changed, LongWalk::FILES + 1, "the first walk changes all, the others find all right");
        assert!(seen >= changed, "{ended:#?}");
    }
}

#[test]
fn a_tree_that_was_not_finished_is_finished_by_the_next_run() {
    let tree = Tree::new(&[]);
    let files = tree.fill(100_000);
    let path = tree.path();
    let arguments = ["--mode", "u=rwX,go=", "--threads", "1", &path];
    let program = start_as_pid_one(&fix_perms(&arguments));
    let id = id_of_pid_one(&program);
    let is_changed = |file: &PathBuf| mode(file) == 0o600;
    until("the first files are changed", || files.iter().step_by(97).any(is_changed).then_some(()));
    send(id, Signal::TERM);
    let ended = program.end();
    ended.ended_with(143, "reason=stopped");
    let changed = files.iter().filter(|file| is_changed(file)).count();
    assert_eq!(counts(&ended).1, changed);
    assert!((1..files.len()).contains(&changed), "{changed}");
    assert_eq!(mode(&tree.root()), 0o755, "the root is changed last");
    ended.message("the root is left as it was: not all below it is right");
    let ended = done(&arguments);
    assert_eq!(ended.message("looked at")["changed"], files.len() - changed + 1);
    assert!(files.iter().all(is_changed) && mode(&tree.root()) == 0o700);
}

#[test]
fn a_stop_signal_ends_a_look_too() {
    let walk = LongWalk::new(2_000);
    let mut program = Program::start(&mut walk.fix_perms(&["--verify", "--file-mode", "0644"]));
    program.wait_for_message("looked at");
    program.signal(Signal::TERM);
    let ended = program.end();
    assert_eq!(ended.code, Some(143), "{ended:#?}");
    assert!(last_words(&ended).starts_with(r#"stopped last="stopped after "#), "{ended:#?}");
    assert!(last_words(&ended).ends_with(r#" seen""#), "{ended:#?}");
}

#[test]
fn the_command_becomes_pid_one() {
    let tree = Tree::new(&["a"]);
    let inside = fix_perms(&["--mode", "0700", &tree.path(), "--", "/bin/sh", "-c", "echo PID $$; exit 3"]);
    let ended = start_as_pid_one(&inside).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), "PID 1\n"));
}
