//! Lines of any bytes: cut when they are too long, held back while they have no end.

use std::{fs, io::Write, process::Command};

use serde_json::Value;

use crate::{
    collector::Collector,
    support::{Pod, Writer, append, assert_all_there, ledger, line, start, stop, until},
};

#[test]
fn a_line_without_newline_waits_for_the_rest_of_it() {
    let pod = Pod::new();
    let mut file = append(&pod.log("app.log"));
    file.write_all(b"one\ntw").unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(1);
    file.write_all(b"o\nthree\nfo").unwrap();
    pod.wait_for_lines(3);
    assert_eq!(pod.out(), "one\ntwo\nthree\n");
    // Complete once nothing can follow
    fs::rename(pod.log("app.log"), pod.log("app.log.1")).unwrap();
    pod.wait_for_lines(4);
    assert_eq!(pod.out(), "one\ntwo\nthree\nfo\n");
    stop(program);
}

#[test]
fn the_last_words_of_a_deleted_file_and_at_a_stop_are_marked() {
    let pod = Pod::new();
    let output = pod.file_output() + "#as=ndjson";
    append(&pod.log("app.log")).write_all(b"one\nlast words").unwrap();
    let program = pod.start(&["--output", &output]);
    pod.wait_for_lines(1);
    fs::remove_file(pod.log("app.log")).unwrap();
    pod.wait_for_lines(2);
    append(&pod.log("app.log")).write_all(b"two\nat the stop").unwrap();
    pod.wait_for_lines(3);
    let ended = stop(program);
    let objects: Vec<Value> = pod.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |object: &Value| (object["message"].as_str().unwrap().to_owned(), object["unfinished"] == true);
    let expected = [("one", false), ("last words", true), ("two", false), ("at the stop", true)];
    assert_eq!(objects.iter().map(said).collect::<Vec<_>>(), expected.map(|(text, mark)| (text.to_owned(), mark)));
    assert_ne!(objects[0]["generation"], objects[2]["generation"]);
    assert_eq!(ledger(&ended)["lines"], 4);
}

#[test]
fn a_line_that_is_too_long_is_cut_and_its_rest_is_counted() {
    let pod = Pod::new();
    let output = pod.file_output() + "#as=ndjson";
    let long = "x".repeat(5_000_000);
    fs::write(pod.log("app.log"), format!("one\n{long}\ntwo\n")).unwrap();
    let program = pod.start(&["--output", &output]);
    pod.wait_for_lines(3);
    let ended = stop(program);
    let objects: Vec<Value> = pod.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lengths: Vec<_> = objects.iter().map(|object| object["message"].as_str().unwrap().len()).collect();
    assert_eq!(lengths, [3, 1 << 20, 3]);
    assert_eq!((&objects[0]["cut"], &objects[1]["cut"]), (&Value::Null, &true.into()));
    // The newline belongs to what nobody gets.
    assert_eq!(ledger(&ended)["lost"], 5_000_001 - (1 << 20));
}

#[test]
fn bytes_that_are_no_text_are_replaced_in_objects_and_left_in_raw_lines() {
    let pod = Pod::new();
    let output = format!("file://{}#as=ndjson", pod.beside("json").display());
    fs::write(pod.log("app.log"), b"caf\xe9 \x00\x1b[1m\n\xf0\x9f\x98\x80\n").unwrap();
    let program = pod.start(&["--output", &pod.file_output(), "--output", &output]);
    let both = || {
        let json = fs::read_to_string(pod.beside("json")).ok()?;
        let raw = fs::read(pod.beside("out")).ok()?;
        (json.lines().count() == 2 && raw.len() == 16).then_some((json, raw))
    };
    let (json, raw) = until("both outputs have two lines", both);
    stop(program);
    assert_eq!(raw, b"caf\xe9 \x00\x1b[1m\n\xf0\x9f\x98\x80\n");
    assert_eq!(crate::support::messages(&json), ["caf\u{fffd} \0\u{1b}[1m", "😀"]);
}

#[test]
fn a_thousand_files_are_read_at_once() {
    let pod = Pod::new();
    for number in 0..1000 {
        fs::write(pod.log(&format!("{number}.log")), format!("{}\n", crate::support::line(number))).unwrap();
    }
    let pattern = pod.log("*.log").display().to_string();
    let program = pod.start(&["--input", &pattern, "--output", &pod.file_output()]);
    pod.wait_for_lines(1000);
    let ended = stop(program);
    crate::rotation::assert_all_there_in_any_order(pod.out().lines(), 1000);
    assert_eq!(ledger(&ended)["lines"], 1000);
}

#[test]
fn more_files_than_the_usual_limit_of_descriptors_are_read() {
    let pod = Pod::new();
    for number in 0..200 {
        fs::write(pod.log(&format!("{number}.log")), format!("{}\n", line(number))).unwrap();
    }
    let input = pod.log("*.log").display().to_string();
    let command = pod.command(&["--input", &input, "--output", &pod.file_output()]);
    let mut limited = Command::new("prlimit");
    limited.args(["--nofile=100:1000", "--"]).arg(command.get_program()).args(command.get_args()).env_clear();
    let program = start(&mut limited);
    pod.wait_for_lines(200);
    stop(program);
    crate::rotation::assert_all_there_in_any_order(pod.out().lines(), 200);
}

#[test]
fn what_an_output_writes_is_no_input() {
    let pod = Pod::new();
    let (pattern, all) = (pod.log("*.log").display().to_string(), pod.log("all of it.log"));
    let url = format!("file://{}", all.display().to_string().replace(' ', "%20"));
    let mut program = pod.start(&["--input", &pattern, "--output", &url]);
    fs::write(pod.log("app.log"), format!("{}\n", line(0))).unwrap();
    program.wait_for_message("is not read; it is tried again");
    fs::write(pod.log("more.log"), format!("{}\n", line(1))).unwrap();
    until("both lines are there", || (fs::read_to_string(&all).ok()?.lines().count() >= 2).then_some(()));
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], fs::read_to_string(&all).unwrap().lines().count()), (2, 2));
}

#[test]
fn dead_letters_are_no_input() {
    let pod = Pod::new();
    let collector = Collector::start();
    collector.refuse_lines_with(&line(1));
    let (pattern, dead) = (pod.log("*.log").display().to_string(), pod.log("dead.log"));
    let mut program =
        pod.start(&["--input", &pattern, "--output", &collector.url(), "--dead-letter", dead.to_str().unwrap()]);
    Writer::new(&pod.log("app.log")).write(3);
    program.wait_for_message("is not read; it is tried again");
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], fs::read_to_string(&dead).unwrap().lines().count()), (2, 1));
}

#[test]
fn an_output_that_is_rotated_goes_on_under_its_name() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(5);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(5);
    fs::rename(pod.beside("out"), pod.beside("out.1")).unwrap();
    writer.write(5);
    pod.wait_for_lines(5);
    stop(program);
    let all = fs::read_to_string(pod.beside("out.1")).unwrap() + &pod.out();
    assert_all_there(all.lines(), 10);
}
