//! Directories that come and go, and the state directory that is one process's.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    time::{Duration, Instant},
};

use crate::{
    rotation::assert_all_there_in_any_order,
    support::{Pod, Signal, Writer, append, assert_all_there, ledger, line, start, stop},
};

/// Longer than two sweeps, after which a directory that tells nothing is found out
const JUDGED: Duration = Duration::from_secs(5);

#[test]
fn a_directory_that_is_deleted_and_made_again_is_watched_again() {
    let pod = Pod::new();
    let directory = pod.log("deep/er");
    let pattern = directory.join("*.log").display().to_string();
    let program = pod.start(&["--input", &pattern, "--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    let mut written = 0;
    for _ in 0..5 {
        fs::create_dir_all(&directory).unwrap();
        for name in ["a.log", "b.log"] {
            fs::write(directory.join(name), format!("{}\n", line(written))).unwrap();
            written += 1;
        }
        pod.wait_for_lines(usize::try_from(written).unwrap());
        fs::remove_dir_all(pod.log("deep")).unwrap();
    }
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), written);
    assert_eq!(ledger(&ended)["lost"], 0);
    assert!(ended.messages("its files grow without events; it is polled").is_empty(), "{ended:#?}");
}

#[test]
fn an_input_that_no_file_matches_is_told_until_one_does() {
    let pod = Pod::new();
    let logs = pod.beside("logs").display().to_string();
    let mut program = pod.start(&["--input", &logs, "--output", &pod.file_output()]);
    let none = program.wait_for_message("no file matches the input: is the volume mounted?");
    assert_eq!(none["input"], pod.log("app.log").to_str().unwrap());
    let words = format!("the input is a directory, and its files are not read: write {logs}/*.log");
    assert_eq!(program.wait_for_message(&words)["input"], logs);
    pod.wait_for_checkpoint();
    Writer::new(&pod.log("app.log")).write(1);
    pod.wait_for_lines(1);
    let ended = stop(program);
    assert_eq!(ended.messages("no file matches the input: is the volume mounted?").len(), 1, "{ended:#?}");
}

#[test]
fn an_input_with_files_causes_no_warning() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(1);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(1);
    let ended = stop(program);
    assert!(ended.messages("no file matches the input: is the volume mounted?").is_empty(), "{ended:#?}");
}

#[test]
fn a_directory_behind_a_link_has_events_and_renames_as_any_other() {
    let pod = Pod::new();
    fs::create_dir(pod.beside("a-real-one")).unwrap();
    symlink(pod.beside("a-real-one"), pod.beside("link")).unwrap();
    let path = pod.beside("link/app.log");
    let mut writer = Writer::new(&path);
    let program = pod.start(&["--input", path.to_str().unwrap(), "--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    let (begin, mut written) = (Instant::now(), 0);
    while begin.elapsed() < JUDGED {
        writer.write(1);
        written += 1;
        if written % 20 == 0 {
            writer.rotate(50);
        }
        pod.wait_for_lines(written);
    }
    let ended = stop(program);
    assert_all_there(pod.out().lines(), written as u64);
    assert!(ended.messages("its files grow without events; it is polled").is_empty(), "{ended:#?}");
}

#[test]
fn a_state_directory_is_one_process_s_until_that_ends_in_any_way() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(5);
    let first = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(5);
    let second = harness::Program::start(&mut pod.command(&["--output", &pod.file_output()])).end();
    let reason = "another log-forwarder is running with this --state-dir: give each its own";
    second.ended_with(69, "reason=unavailable");
    assert!(second.last_line().contains(reason), "{second:#?}");
    pod.wait_for_checkpoint();
    first.signal(Signal::KILL);
    first.end();
    stop(pod.start(&["--output", &pod.file_output()]));
    assert_all_there(pod.out().lines(), 5);
}

#[test]
fn a_rotated_file_that_equals_the_new_one_is_no_copy_of_it() {
    let pod = Pod::new();
    fs::write(pod.log("app.log"), "begins\n").unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(1);
    stop(program);
    for number in ["2", "1"] {
        fs::rename(pod.log("app.log"), pod.log(&format!("app.log.{number}"))).unwrap();
        fs::write(pod.log("app.log"), "begins\n").unwrap();
    }
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(3);
    assert_eq!(ledger(&stop(program))["lines"], 2);
}

#[test]
fn a_file_that_was_written_to_its_old_size_after_a_truncation_is_another() {
    let pod = Pod::new();
    let mut file = append(&pod.log("app.log"));
    let program = pod.start(&["--output", &pod.file_output()]);
    for number in 0..20 {
        // All lines have one length; and nobody looks between the truncation and the next line.
        program.signal(Signal::STOP);
        file.set_len(0).unwrap();
        std::io::Write::write_all(&mut file, format!("line {number:08}\n").as_bytes()).unwrap();
        program.signal(Signal::CONT);
        pod.wait_for_lines(number + 1);
    }
    let size = file.metadata().unwrap().size();
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["delivered"]), (20, 20 * size));
}

#[test]
fn what_the_clock_says_decides_nothing() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(100);
    let mut program = Some(start(&mut pod.command(&["--output", &pod.file_output()])));
    pod.wait_for_lines(100);
    for (round, years) in [-40i64, 10, -20, 30, 0].into_iter().enumerate() {
        if round == 2 {
            pod.wait_until_saved();
            stop(program.take().unwrap());
        }
        writer.write(500);
        writer.copy_and_truncate(&format!(".{round}"));
        for name in ["app.log".to_owned(), format!("app.log.{round}")] {
            set_time(&pod.log(&name), years);
        }
        writer.write(5);
        set_time(&pod.log("app.log"), -years);
        if program.is_none() {
            program = Some(start(&mut pod.command(&["--output", &pod.file_output()])));
        }
        pod.wait_for_lines(usize::try_from(writer.written()).unwrap());
    }
    let ended = stop(program.unwrap());
    assert_eq!(ledger(&ended)["lost"], 0, "{ended:#?}");
    assert_all_there_in_any_order(pod.out().lines(), writer.written());
    assert_eq!(pod.out().lines().count() as u64, writer.written(), "{ended:#?}");
}

/// As if the clock stood this number of years from 2026 when the file was written
fn set_time(path: &std::path::Path, years: i64) {
    let date = format!("{}-11-24", 2026 + years);
    assert!(std::process::Command::new("touch").args(["-d", &date]).arg(path).status().unwrap().success());
}

#[test]
fn directories_that_are_made_one_in_another_are_watched_at_once() {
    let pod = Pod::new();
    let pattern = pod.log("*/*/current/*.log").display().to_string();
    let program = pod.start(&["--input", &pattern, "--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    for round in 0..20 {
        let directory = pod.log(&format!("pod-{round}/app/current"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("0.log"), format!("{}\n", line(round))).unwrap();
        pod.wait_for_lines(usize::try_from(round + 1).unwrap());
    }
    assert_eq!(ledger(&stop(program))["lines"], 20);
}

#[test]
fn a_link_may_lead_to_directories_that_come_later_one_by_one() {
    let pod = Pod::new();
    symlink(pod.beside("pods/web/app/0.log"), pod.log("web.log")).unwrap();
    symlink(pod.beside("volume/logs"), pod.log("volume")).unwrap();
    let inputs = [pod.log("*.log"), pod.log("volume/*.log")].map(|path| path.display().to_string());
    let program = pod.start(&["--input", &inputs[0], "--input", &inputs[1], "--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    for path in ["pods", "pods/web", "pods/web/app"] {
        fs::create_dir(pod.beside(path)).unwrap();
    }
    Writer::new(&pod.beside("pods/web/app/0.log")).write(3);
    pod.wait_for_lines(3);
    for path in ["volume", "volume/logs"] {
        fs::create_dir(pod.beside(path)).unwrap();
    }
    Writer::new(&pod.beside("volume/logs/db.log")).write(3);
    pod.wait_for_lines(6);
    assert_eq!(ledger(&stop(program))["lines"], 6);
}
