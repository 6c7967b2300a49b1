//! More files than may be open at once.

use std::{fs, io::Write, net::TcpListener, process::Command};

use crate::{
    collector::Collector,
    rotation::{assert_all_there_in_any_order, free_address},
    support::{Pod, Program, append, http, ledger, line, start, stop, until},
};

/// Files of the tests; with the limit of [`start_limited`] only 50 of them can be open at once
const FILES: u64 = 300;

/// Starts it on `*.log` with at most 100 descriptors, and no way to get more.
#[track_caller]
fn start_limited(pod: &Pod, arguments: &[&str]) -> Program {
    let mut command = pod.command(&["--input", &pod.log("*.log").display().to_string()]);
    command.args(arguments);
    let mut limited = Command::new("prlimit");
    limited.args(["--nofile=100:100", "--"]).arg(command.get_program()).args(command.get_args()).env_clear();
    start(&mut limited)
}

fn append_lines(pod: &Pod, first: u64, files: impl Iterator<Item = u64>) {
    for (number, file) in (first..).zip(files) {
        writeln!(append(&pod.log(&format!("{file}.log"))), "{}", line(number)).unwrap();
    }
}

#[test]
fn files_beyond_the_limit_wait_and_are_read_in_turn() {
    let (pod, address) = (Pod::new(), free_address());
    append_lines(&pod, 0, 0..FILES);
    // One output takes everything, the other one nothing yet.
    let url = format!("http://{address}/lines");
    let mut program = start_limited(&pod, &["--output", &pod.file_output(), "--output", &url]);
    let health = program.address("health");
    pod.wait_for_lines(300);
    program.wait_for_message(
        "more files have unread lines than may be open at once; they are read in turn: raise the limit of open files",
    );
    assert_eq!(http::get(health, "/livez").status, 200);
    let waiting = until("files wait for a descriptor", || {
        let metrics = http::get(health, "/metrics").body;
        let value = metrics.lines().find_map(|line| line.strip_prefix("sidekit_log_forwarder_files_waiting "))?;
        value.parse::<u64>().ok().filter(|waiting| *waiting > 0)
    });
    assert!(waiting >= FILES - 100, "{waiting}");
    // Files that wait are renamed and go on under a new file of their name.
    for file in 250..260 {
        let path = pod.log(&format!("{file}.log"));
        fs::rename(&path, path.with_extension("log.1")).unwrap();
    }
    append_lines(&pod, FILES, 240..FILES);
    pod.wait_for_lines(360);
    let collector = Collector::on(TcpListener::bind(&address).unwrap());
    until("the collector has all lines", || (collector.messages().len() >= 360).then_some(()));
    let ended = stop(program);
    assert_all_there_in_any_order(collector.messages().iter().map(String::as_str), 360);
    assert_all_there_in_any_order(pod.out().lines(), 360);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (720, 0));
    let ended = stop(start_limited(&pod, &["--output", &pod.file_output(), "--output", &url]));
    assert_eq!(ledger(&ended)["read"], 0);
}

#[test]
fn a_stop_reads_every_file_beyond_the_limit_to_its_end() {
    let pod = Pod::new();
    append_lines(&pod, 0, 0..FILES);
    for file in 0..FILES {
        // A last line without newline is complete only when the app is quiet.
        write!(append(&pod.log(&format!("{file}.log"))), "{}", line(FILES + file)).unwrap();
    }
    let program = start_limited(&pod, &["--output", &pod.file_output()]);
    pod.wait_for_lines(300);
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), 2 * FILES);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (2 * FILES, 0));
}
