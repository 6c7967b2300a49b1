//! As PID 1 of a PID namespace, as in a pod: no shell, no default actions for signals.

use harness::{id_of_pid_one, send, start_as_pid_one};

use crate::support::{
    Ended, LongWalk, Program, Signal, Tree, done, fix_perms, last_words, mode, stopped_in_time, tells_of_its_stop,
    until,
};

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
        let ended = stopped_in_time(tells_of_its_stop, || {
            let walk = LongWalk::new(2_000);
            let mut program = start_as_pid_one(&walk.fix_perms(&["--mode", "u=rwX,go="]));
            program.wait_for_message("looked at");
            let id = id_of_pid_one(&program);
            send(id, Signal::HUP);
            send(id, signal);
            let ended = program.end();
            ended.ended_with(code, "reason=stopped");
            ended
        });
        let (seen, changed) = counts(&ended);
        assert_eq!(changed, LongWalk::CHANGES, "the first walk changes all, the others find all right");
        assert!(seen > changed, "{ended:#?}");
    }
}

/// Directories of the big tree, and files: each has a hundred names in each directory
const DIRECTORIES: usize = 100;
const FILES: usize = 10;

/// What takes long to walk.
fn big_tree() -> Tree {
    let tree = Tree::new(&[]);
    for directory in 0..DIRECTORIES {
        tree.add(&format!("{directory}/"));
    }
    for file in (0..FILES).map(|nth| format!("0/file-{nth}")) {
        tree.add(&file);
        for directory in 0..DIRECTORIES {
            tree.link(&file, &format!("{directory}/{}-", &file[2..]), 100);
        }
    }
    tree
}

/// The directories that have the wanted mode already
fn changed_directories(tree: &Tree) -> usize {
    (0..DIRECTORIES).filter(|directory| mode(&tree.join(&directory.to_string())) == 0o700).count()
}

/// Stops fix-perms in the middle of the big tree.
#[track_caller]
fn stop_in_mid_walk(tree: &Tree, links: &str) -> Ended {
    let path = tree.path();
    let inside = fix_perms(&["--mode", "u=rwX,go=", "--hard-links", links, "--threads", "1", &path]);
    stopped_in_time(tells_of_its_stop, || {
        done(&["--mode", "u=rwX,go=rX", "--hard-links", "allow", &path]);
        let program = start_as_pid_one(&inside);
        let id = id_of_pid_one(&program);
        until("the first directory is changed", || (changed_directories(tree) > 0).then_some(()));
        send(id, Signal::TERM);
        program.end()
    })
}

#[test]
fn a_tree_that_was_not_finished_is_finished_by_the_next_run() {
    let tree = big_tree();
    let ended = stop_in_mid_walk(&tree, "allow");
    assert_eq!(ended.code, Some(143), "{ended:#?}");
    let changed = changed_directories(&tree);
    assert!((1..DIRECTORIES).contains(&changed), "{changed}");
    assert_eq!(counts(&ended).1, changed + FILES, "each file has names in the first directory");
    assert_eq!(mode(&tree.root()), 0o755, "the root is changed last");
    ended.message("the root is left as it was: not all below it is right");
    let ended = done(&["--mode", "u=rwX,go=", &tree.path()]);
    assert_eq!(ended.message("looked at")["changed"], DIRECTORIES - changed + 1);
    assert_eq!((changed_directories(&tree), mode(&tree.root())), (DIRECTORIES, 0o700));
}

#[test]
fn files_that_a_stop_leaves_half_seen_are_not_said_to_be_outside_the_tree() {
    let ended = stop_in_mid_walk(&big_tree(), "leave");
    let said = ended.messages("left alone: not all of their names were found below PATH (--hard-links allow)");
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn a_stop_signal_ends_a_look_too() {
    let walk = LongWalk::new(2_000);
    let ended = stopped_in_time(tells_of_its_stop, || {
        let mut program = Program::start(&mut walk.fix_perms(&["--verify", "--file-mode", "0644"]));
        program.wait_for_message("looked at");
        program.signal(Signal::TERM);
        program.end()
    });
    assert_eq!(ended.code, Some(143), "{ended:#?}");
    assert!(last_words(&ended).ends_with(r#" seen""#), "{ended:#?}");
}

#[test]
fn the_command_becomes_pid_one() {
    let tree = Tree::new(&["a"]);
    let inside = fix_perms(&["--mode", "0700", &tree.path(), "--", "/bin/sh", "-c", "echo PID $$; exit 3"]);
    let ended = start_as_pid_one(&inside).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), "PID 1\n"));
}
