//! Files of other processes beside an input, with names that rotation could have given.

use std::{fs, io::Write};

use crate::{
    rotation::assert_all_there_in_any_order,
    support::{Pod, Writer, append, assert_all_there, ledger, line, stop},
};

const NEIGHBOURS: [&str; 4] = ["app-1.log", "app.2.log", "app.log.7", "app3.log"];

/// Other processes begin their logs, or go on.
fn write_neighbours(pod: &Pod) {
    for name in NEIGHBOURS {
        append(&pod.log(name)).write_all(b"of another process\n").unwrap();
    }
}

#[test]
fn files_that_another_process_begins_are_not_read_and_a_rename_is_followed() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let mut program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(10);
    write_neighbours(&pod);
    for _ in NEIGHBOURS {
        program.wait_for_message("is not read: it is no rotated file of an input");
    }
    write_neighbours(&pod);
    writer.write(10);
    writer.rotate(3);
    writer.write(10);
    pod.wait_for_lines(30);
    let ended = stop(program);
    assert_all_there(pod.out().lines(), 30);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (30, 0));
}

#[test]
fn files_that_another_process_began_while_nobody_watched_are_not_read() {
    let (pod, mut writer) = Pod::with_a_past();
    write_neighbours(&pod);
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(110);
    stop(program);
    // They are known now, and stay what they are when the input is rotated and they grow while nobody watches.
    write_neighbours(&pod);
    for _ in 0..3 {
        writer.write(10);
        writer.rotate(5);
    }
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(150);
    stop(program);
    assert_all_there(pod.out().lines(), 150);
}

#[test]
fn after_a_rotation_that_nobody_watched_a_numbered_log_of_another_process_is_not_read() {
    let (pod, mut writer) = Pod::with_a_past();
    append(&pod.log("app-1.log")).write_all(b"of another process\n").unwrap();
    for _ in 0..3 {
        writer.write(10);
        writer.rotate(5);
    }
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(140);
    stop(program);
    assert_all_there(pod.out().lines(), 140);
}

#[test]
fn files_that_were_there_before_stay_unread_when_they_grow() {
    let pod = Pod::new();
    write_neighbours(&pod);
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(10);
    write_neighbours(&pod);
    writer.rotate(3);
    writer.write(10);
    pod.wait_for_lines(20);
    stop(program);
    write_neighbours(&pod);
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(30);
    stop(program);
    assert_all_there(pod.out().lines(), 30);
}

#[test]
fn numbered_logs_that_are_inputs_come_once_and_under_their_own_names() {
    let pod = Pod::new();
    let pattern = pod.log("*.log").display().to_string();
    let names = ["app.log", "app-1.log", "app-2.log"];
    for round in 0..3 {
        for (file, name) in (0..).zip(names) {
            writeln!(append(&pod.log(name)), "{}", line(round * 3 + file)).unwrap();
        }
        let program = pod.start(&["--input", &pattern, "--output", &(pod.file_output() + "#as=ndjson")]);
        pod.wait_for_lines(usize::try_from(round * 3 + 3).unwrap());
        let ended = stop(program);
        assert_eq!(ledger(&ended)["lines"], 3);
    }
    let out = pod.out();
    let records: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_all_there_in_any_order(records.iter().map(|record| record["message"].as_str().unwrap()), 9);
    for (file, name) in (0..).zip(names) {
        let path = pod.log(name).display().to_string();
        let own = records.iter().filter(|record| record["file"] == *path);
        let own: Vec<_> = own.map(|record| record["message"].as_str().unwrap()).collect();
        assert_eq!(own, [line(file), line(file + 3), line(file + 6)], "{name}");
    }
}

#[test]
fn a_file_that_another_process_puts_under_the_name_of_a_rotated_one_is_not_read() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let mut program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(10);
    writer.rotate(3);
    writer.write(10);
    pod.wait_for_lines(20);
    // Once this file is judged, the rotation is over.
    append(&pod.log("app-1.log")).write_all(b"of another process\n").unwrap();
    program.wait_for_message("is not read: it is no rotated file of an input");
    fs::write(pod.beside("other"), "of another process\n").unwrap();
    fs::rename(pod.beside("other"), pod.log("app.log.1")).unwrap();
    program.wait_for_message("is not read: it is no rotated file of an input");
    writer.write(10);
    pod.wait_for_lines(30);
    stop(program);
    assert_all_there(pod.out().lines(), 30);
}

#[test]
fn names_without_a_separator_are_rotated_ones_where_a_known_file_has_one() {
    let (pod, mut writer) = Pod::with_a_past();
    // As winston's `tailable` rotates, twice while nobody watches
    for _ in 0..2 {
        writer.write(10);
        let _ = fs::rename(pod.log("app1.log"), pod.log("app2.log"));
        fs::rename(pod.log("app.log"), pod.log("app1.log")).unwrap();
        let written = writer.written();
        writer = Writer::new(&pod.log("app.log"));
        writer.skip(written);
    }
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(130);
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), 130);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (30, 0));
}
