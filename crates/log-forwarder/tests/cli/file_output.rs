//! `file://` on a volume that takes no more bytes, as far as a limit of file sizes is like one, and half a line after a kill.

use std::{os::unix::fs::symlink, process::Command};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::support::{Ended, Pod, Program, Writer, assert_all_there, ledger, start, stop, until};

/// A command whose files cannot become longer than some kilobytes. Beyond that a write fails when the signal is ignored, and
/// else the signal ends the command in the middle of a batch.
fn limited(command: &Command, is_ignored: bool) -> Command {
    let trap = if is_ignored { "trap '' XFSZ; " } else { "" };
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", &format!("{trap}ulimit -S -f 9; exec \"$0\" \"$@\"")]).arg(command.get_program());
    limited.args(command.get_args()).env_clear();
    limited
}

#[test]
fn a_full_disk_leaves_whole_lines_and_doubles_none() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(500);
    let mut program = start(&mut limited(&pod.command(&["--output", &pod.file_output()]), true));
    program.wait_for_reason("file too large");
    until("the file ends with a whole line", || (pod.out().len() > 1000 && pod.out().ends_with('\n')).then_some(()));
    let unlimited = Rlimit { current: None, maximum: None };
    prlimit(Pid::from_raw(program.id().try_into().unwrap()), Resource::Fsize, unlimited).unwrap();
    pod.wait_for_lines(500);
    let ended = stop(program);
    assert_all_there(pod.out().lines(), 500);
    assert_eq!((pod.out().lines().count(), ledger(&ended)["lines"]), (500, 500));
}

#[test]
fn dead_letters_in_the_file_of_an_output_are_refused_also_through_a_link() {
    let pod = Pod::new();
    symlink(pod.beside(""), pod.beside("link")).unwrap();
    let dead = pod.beside("link/out").display().to_string();
    let program = start(&mut pod.command(&["--output", &pod.file_output(), "--dead-letter", &dead]));
    let told = format!("reason=usage last=\"{dead} and {} are one file", pod.beside("out").display());
    program.end().ended_with(64, &told);
}

#[test]
fn half_a_line_after_a_kill_in_a_write_is_cut_off_at_the_next_start() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(500);
    let arguments = ["--output", &pod.file_output()];
    let ended: Ended = Program::start(&mut limited(&pod.command(&arguments), false)).end();
    assert_eq!(ended.code, None, "{ended:#?}");
    assert!(pod.out().len() > 1000 && !pod.out().ends_with('\n'), "{}", pod.out());
    let program = pod.start(&arguments);
    until("the last line is there", || pod.out().lines().any(|line| line.starts_with("line 00000499")).then_some(()));
    stop(program);
    // The batch came again, and each line is whole.
    assert_all_there(pod.out().lines(), 500);
}
