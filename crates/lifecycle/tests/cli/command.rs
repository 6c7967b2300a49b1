//! `-- COMMAND`: the helper replaces itself and leaves no trace.

use std::{fs, io::Write, process::Stdio};

use crate::support::{NEVER, Program, end, program, task};

#[test]
fn the_command_keeps_the_process_and_gives_its_own_exit_code() {
    let program = Program::start(&mut task(&["--", "/bin/sh", "-c", "echo $$; exit 7"]));
    let id = program.id();
    let ended = program.end();
    assert_eq!((ended.code, &*ended.stdout), (Some(7), &*format!("{id}\n")), "{ended:#?}");
    assert_eq!(ended.log.len(), 1, "no last line: {ended:#?}");
}

#[test]
fn the_command_gets_default_signals_and_an_empty_mask() {
    let status = end(task(&["--", "/bin/cat", "/proc/self/status"])).stdout;
    let mask = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of proc_pid_status(5)");
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk:"), 0);
    for (signal, number) in [("HUP", 1), ("INT", 2), ("QUIT", 3), ("PIPE", 13), ("TERM", 15)] {
        for set in ["SigIgn:", "SigCgt:"] {
            assert_eq!(mask(set) & (1 << (number - 1)), 0, "{signal} in {set}");
        }
    }
}

#[test]
fn the_command_gets_the_environment_and_nothing_more() {
    let mut command = task(&["--", "/usr/bin/env"]);
    command.env("APP", "1").env("SIDEKIT_TEST_TASK_LAST", "x");
    assert_eq!(end(command).stdout, "APP=1\nSIDEKIT_TEST_TASK_LAST=x\n");
}

#[test]
fn the_command_gets_standard_input() {
    let mut command = task(&["--", "/bin/cat"]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let program = Program::start(command.stdin(Stdio::from(reader)));
    drop(command);
    writer.write_all(b"all of it").unwrap();
    drop(writer);
    assert_eq!(program.end().stdout, "all of it");
}

#[test]
fn the_command_gets_no_open_file_of_ours() {
    let alone = end(program("/bin/ls", &["/proc/self/fd"])).stdout;
    assert_eq!(end(task(&["--", "/bin/ls", "/proc/self/fd"])).stdout, alone);
}

#[test]
fn the_command_is_looked_for_in_path() {
    let mut command = task(&["--", "sh", "-c", "exit 5"]);
    command.env("PATH", "/nowhere:/usr/bin:/bin");
    assert_eq!(end(command).code, Some(5));
}

#[test]
fn a_command_that_is_not_there_is_127() {
    for name in [NEVER, "no-such-program"] {
        end(task(&["--", name])).ended_with(127, &format!("reason=not-found what={name:?} last="));
    }
}

#[test]
fn a_command_that_can_not_run_is_126() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    end(task(&["--", path])).ended_with(126, &format!("reason=cannot-run what={path:?} last=\"permission denied"));
    end(task(&["--", "/etc"])).ended_with(126, "reason=cannot-run what=\"/etc\" last=\"permission denied");
}

#[test]
fn a_job_may_want_its_command_after_a_failure_too() {
    assert_eq!(end(task(&["--end", "timed-out", "--", "/bin/sh", "-c", "exit 9"])).code, Some(9));
    end(task(&["--end", "io", "--", "/bin/sh", "-c", "exit 9"])).ended_with(74, "reason=io");
}

#[test]
fn a_task_that_was_told_to_stop_starts_no_command() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("go");
    // Deaf to the request, the job finishes its work within the grace or is stopped there: no command in either case.
    for flags in [&["--busy"][..], &[]] {
        let mut command = task(&["--after-file", file.to_str().unwrap()]);
        let mut program = Program::start(command.args(flags).args(["--", "/bin/echo", "started"]));
        program.wait_for_line("starts");
        program.signal("TERM");
        fs::write(&file, "").unwrap();
        let ended = program.end();
        ended.ended_with(143, "reason=stopped");
        assert_eq!(ended.stdout, "");
        fs::remove_file(&file).unwrap();
    }
}
