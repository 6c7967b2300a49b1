//! Which files are read, and from where: excluded files, files that were there before, old files, and idle ones.

use std::{
    fs::{self, File},
    io::Write,
    time::{Duration, SystemTime},
};

use crate::support::{
    Pod, Program, Writer, append, assert_all_there, http, ledger, line, log_forwarder, number, start, stop, until,
};

/// log-forwarder on all logs, with these arguments more
fn start_on_all(pod: &Pod, arguments: &[&str]) -> Program {
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", "200ms"]);
    command.arg("--input").arg(pod.log("**/*.log")).arg("--state-dir").arg(pod.beside("state"));
    command.args(["--output", &pod.file_output()]).args(arguments);
    start(&mut command)
}

/// A file with one line
fn write_line(pod: &Pod, name: &str, number: u64) {
    let mut writer = Writer::new(&pod.log(name));
    writer.skip(number);
    writer.write(1);
}

fn numbers(pod: &Pod) -> Vec<u64> {
    let mut numbers: Vec<_> = pod.out().lines().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn excluded_files_are_not_read() {
    let pod = Pod::new();
    fs::create_dir_all(pod.log("tmp")).unwrap();
    for (number, name) in (0..).zip(["app.log", "debug.log", "trace.log", "tmp/app.log"]) {
        write_line(&pod, name, number);
    }
    let (names, directory) = (pod.log("{debug,trace}.log"), pod.log("tmp/**"));
    let excludes = ["--exclude", names.to_str().unwrap(), "--exclude", directory.to_str().unwrap()];
    let program = start_on_all(&pod, &excludes);
    pod.wait_for_lines(1);
    // An excluded file that comes later stays unread, too.
    write_line(&pod, "tmp/later.log", 4);
    write_line(&pod, "app.log", 5);
    pod.wait_for_lines(2);
    stop(program);
    assert_eq!(numbers(&pod), [0, 5]);
    // A file that was read before is not read on.
    let all = pod.log("app.*");
    let mut program = start_on_all(&pod, &["--exclude", all.to_str().unwrap()]);
    program.wait_for_message("no input leads to it any more");
    write_line(&pod, "app.log", 6);
    pod.wait_for_lines(6);
    stop(program);
    assert_eq!(numbers(&pod), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn an_excluded_file_is_no_rotated_file_of_an_input() {
    let (pod, mut writer) = Pod::with_a_past();
    writer.write(10);
    writer.rotate(3);
    // This file comes and goes unseen: only its name could say that it was the input's.
    writer.write(10);
    writer.rotate(3);
    writer.write(10);
    let exclude = pod.log("app.log.*");
    let program = pod.start(&["--output", &pod.file_output(), "--exclude", exclude.to_str().unwrap()]);
    pod.wait_for_lines(120);
    // A file that was read under its first name is read on under an excluded one.
    writer.rotate(3);
    writer.write(10);
    pod.wait_for_lines(130);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (30, 0));
    assert_eq!(numbers(&pod), (0..110).chain(120..140).collect::<Vec<_>>());
}

#[test]
fn a_pattern_that_excludes_all_files_of_an_input_is_named() {
    let pod = Pod::new();
    write_line(&pod, "app.log", 0);
    let exclude = pod.log("*");
    let mut program = pod.start(&["--output", &pod.file_output(), "--exclude", exclude.to_str().unwrap()]);
    program.wait_for_message(
        "every file that matches the input is excluded, and none is read: is a pattern of --exclude too wide?",
    );
    stop(program);
    let mut relative = pod.command(&["--output", "stdout://", "--exclude", "*.gz"]);
    let ended = Program::start(&mut relative).end();
    assert_eq!(ended.code, Some(64));
    assert!(format!("{ended:?}").contains("begin it with /, or with /**/ for any directory"), "{ended:?}");
}

#[test]
fn files_that_are_there_already_are_read_from_their_end() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(100);
    let half_line = line(100);
    let (first_half, second_half) = half_line.split_at(20);
    append(&pod.log("app.log")).write_all(first_half.as_bytes()).unwrap();
    let program = start_on_all(&pod, &["--start-at", "end"]);
    pod.wait_for_checkpoint();
    // A line that was half there is read whole.
    append(&pod.log("app.log")).write_all(format!("{second_half}\n").as_bytes()).unwrap();
    writer.skip(101);
    writer.write(9);
    pod.wait_for_lines(10);
    // Neither a renamed nor a copied file is read from its beginning.
    writer.rotate(3);
    writer.write(10);
    pod.wait_for_lines(20);
    writer.copy_and_truncate(".7");
    writer.write(10);
    pod.wait_for_lines(30);
    // A later file is.
    Writer::new(&pod.log("later.log")).write(10);
    pod.wait_for_lines(40);
    let ended = stop(program);
    let size = fs::metadata(pod.beside("out")).unwrap().len();
    assert_eq!((ledger(&ended)["read"], ledger(&ended)["lost"]), (size, 0));
    // After a restart the checkpoint counts, also for files that came in the time between.
    writer.write(10);
    let mut between = Writer::new(&pod.log("between.log"));
    between.skip(10);
    between.write(10);
    let program = start_on_all(&pod, &["--start-at", "end"]);
    pod.wait_for_lines(60);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (20, 0));
    assert_eq!(numbers(&pod), (0..20).chain(100..140).collect::<Vec<_>>());
}

#[test]
fn a_damaged_checkpoint_passes_over_no_line() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(10);
    let program = pod.start(&["--output", &pod.file_output(), "--start-at", "end"]);
    pod.wait_for_checkpoint();
    stop(program);
    fs::write(pod.beside("state/checkpoint.json"), "{").unwrap();
    let program = pod.start(&["--output", &pod.file_output(), "--start-at", "end"]);
    pod.wait_for_lines(10);
    stop(program);
    assert_all_there(pod.out().lines(), 10);
}

#[test]
fn an_input_that_is_new_begins_at_the_end_of_its_files() {
    let pod = Pod::new();
    let (mut one, mut two) = (Writer::new(&pod.log("one.log")), Writer::new(&pod.log("two.log")));
    one.write(10);
    two.write(10);
    let (config, outputs) = (pod.beside("config.yaml"), format!("outputs: ['{}']\n", pod.file_output()));
    let inputs = format!("inputs:\n- {{path: {}}}\n", pod.log("one.log").display());
    fs::write(&config, format!("{inputs}{outputs}")).unwrap();
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", "200ms"]);
    command.arg("--config").arg(&config).arg("--state-dir").arg(pod.beside("state"));
    let program = start(&mut command);
    pod.wait_for_lines(10);
    let second = format!("- {{path: {}, start-at: end}}\n", pod.log("two.log").display());
    fs::write(pod.beside("new"), format!("{inputs}{second}{outputs}")).unwrap();
    fs::rename(pod.beside("new"), &config).unwrap();
    until("the second file is found", || {
        pod.checkpoint()?
            .contains("\"path\":\"")
            .then_some(pod.checkpoint()?)
            .filter(|checkpoint| checkpoint.matches("two.log").count() > 2)
    });
    two.write(10);
    pod.wait_for_lines(20);
    stop(program);
    assert_eq!(numbers(&pod), (0..20).collect::<Vec<_>>());
}

#[test]
fn old_files_are_read_once_something_is_written_to_them() {
    let pod = Pod::new();
    let mut old = Writer::new(&pod.log("old.log"));
    old.write(10);
    let two_days_ago = SystemTime::now() - Duration::from_secs(2 * 86_400);
    File::options().write(true).open(pod.log("old.log")).unwrap().set_modified(two_days_ago).unwrap();
    let mut new = Writer::new(&pod.log("new.log"));
    new.skip(20);
    new.write(10);
    let mut program = start_on_all(&pod, &["--ignore-older", "24h", "--log-level", "debug"]);
    let health = program.address("health");
    program.wait_for_message("is not read: nothing was written to it for --ignore-older");
    pod.wait_for_lines(10);
    let ignored = |count: u64| {
        let metric = format!("sidekit_log_forwarder_files_ignored {count}\n");
        until("the metric says it", || http::get(health, "/metrics").body.contains(&metric).then_some(()));
    };
    ignored(1);
    // A new name makes it no newer.
    fs::rename(pod.log("old.log"), pod.log("older.log")).unwrap();
    fs::rename(pod.log("new.log"), pod.log("new.log.1")).unwrap();
    let mut newer = Writer::new(&pod.log("new.log"));
    newer.skip(30);
    newer.write(10);
    pod.wait_for_lines(20);
    assert_eq!(numbers(&pod), (20..40).collect::<Vec<_>>());
    old.write(10);
    pod.wait_for_lines(40);
    ignored(0);
    stop(program);
    assert_all_there(pod.out().lines().filter(|text| number(text) < Some(20)), 20);
    // A file that the checkpoint knows is not too old.
    for name in ["older.log", "new.log"] {
        File::options().write(true).open(pod.log(name)).unwrap().set_modified(two_days_ago).unwrap();
    }
    let program = start_on_all(&pod, &["--ignore-older", "24h"]);
    pod.wait_for_checkpoint();
    let ended = stop(program);
    assert_eq!((ledger(&ended)["read"], ledger(&ended)["lost"]), (0, 0));
}

#[test]
fn a_file_that_does_not_grow_is_closed_and_opened_again_when_it_grows() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output(), "--close-inactive", "1s"]);
    pod.wait_for_lines(10);
    let path = pod.log("app.log");
    let is_open = || {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap();
        descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).any(|target| target == path)
    };
    for round in 2..4 {
        until("the file is closed", || (!is_open()).then_some(()));
        writer.write(10);
        pod.wait_for_lines(round * 10);
    }
    // A change while it is closed is seen as if it were open.
    until("the file is closed", || (!is_open()).then_some(()));
    writer.write(10);
    writer.rotate(3);
    writer.write(10);
    pod.wait_for_lines(50);
    until("the file is closed", || (!is_open()).then_some(()));
    writer.copy_and_truncate(".2");
    writer.write(10);
    pod.wait_for_lines(60);
    let ended = stop(program);
    assert_all_there(pod.out().lines(), 60);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (60, 0));
}
