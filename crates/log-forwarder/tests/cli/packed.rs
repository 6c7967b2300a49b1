//! Copies that were compressed before anybody saw them.

use std::{fs, net::TcpListener, path::Path, process::Command};

use crate::{
    collector::Collector,
    rotation::{assert_all_there_in_any_order, free_address},
    support::{Pod, Signal, Writer, assert_all_there, ledger, line, stop, until, whole_lines},
};

/// Compresses a file as logrotate does it: a new file, with the time of the old one, which goes.
pub(crate) fn gzip(path: &Path) {
    assert!(Command::new("gzip").arg(path).status().unwrap().success());
}

#[test]
fn a_copy_that_was_compressed_while_nobody_watched_is_read_from_where_it_was() {
    let (pod, mut writer) = Pod::with_a_past();
    writer.write(50_000);
    writer.copy_and_truncate(".1");
    gzip(&pod.log("app.log.1"));
    // What else is there
    fs::write(pod.log("app.log.2.gz"), "no gzip at all").unwrap();
    fs::write(pod.log("other"), "another content\n").unwrap();
    gzip(&pod.log("other"));
    writer.write(200);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(50_300);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (50_200, 0));
    assert_all_there_in_any_order(pod.out().lines(), 50_300);
    assert_eq!(ledger(&stop(pod.start(&["--output", &pod.file_output()])))["read"], 0);
}

#[test]
fn a_renamed_file_that_was_compressed_while_nobody_watched_is_read_from_where_it_was() {
    let (pod, mut writer) = Pod::with_a_past();
    writer.write(10);
    writer.rotate(3);
    gzip(&pod.log("app.log.1"));
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(120);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (20, 0));
    assert_all_there_in_any_order(pod.out().lines(), 120);
}

#[test]
fn a_copy_that_is_compressed_before_the_next_look_is_read_from_where_it_was() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &pod.file_output()]);
    writer.write(100);
    pod.wait_for_lines(100);
    for round in 0..3 {
        // It is as if the machine were busy elsewhere.
        program.signal(Signal::STOP);
        writer.write(1000);
        writer.copy_and_truncate(&format!(".{round}"));
        gzip(&pod.log(&format!("app.log.{round}")));
        writer.write(10);
        program.signal(Signal::CONT);
        pod.wait_for_lines(usize::try_from(writer.written()).unwrap());
    }
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (3130, 0));
    assert_all_there_in_any_order(pod.out().lines(), 3130);
}

#[test]
fn a_copy_that_is_being_compressed_is_looked_at_again() {
    let (pod, mut writer) = Pod::with_a_past();
    writer.write(5000);
    writer.copy_and_truncate(".1");
    gzip(&pod.log("app.log.1"));
    let whole = fs::read(pod.log("app.log.1.gz")).unwrap();
    fs::write(pod.log("app.log.1.gz"), &whole[..whole.len() / 2]).unwrap();
    writer.write(1);
    let program = pod.start(&["--output", &pod.file_output()]);
    until("the new file is read", || pod.out().contains(&line(5100)).then_some(()));
    fs::write(pod.log("app.log.1.gz"), &whole).unwrap();
    pod.wait_for_lines(5101);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (5001, 0));
    assert_all_there_in_any_order(pod.out().lines(), 5101);
}

#[test]
fn a_compressed_copy_is_found_again_after_a_kill() {
    let (pod, address) = (Pod::new(), free_address());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(100);
    let url = format!("http://{address}/lines");
    let collector = Collector::on(TcpListener::bind(&address).unwrap());
    let program = pod.start(&["--output", &url, "--output", &pod.file_output()]);
    collector.wait_for(&line(99));
    pod.wait_for_lines(100);
    stop(program);
    writer.write(20_000);
    writer.copy_and_truncate(".1");
    gzip(&pod.log("app.log.1"));
    for round in 1..4 {
        let program = pod.start(&[
            "--output",
            &url,
            "--output",
            &pod.file_output(),
            "--max-in-flight",
            "128KiB",
            "--max-line",
            "4KiB",
        ]);
        until("some more is there", || (pod.out().lines().count() > round * 4000).then_some(()));
        if round == 3 {
            until("the copy is in the checkpoint", || pod.checkpoint()?.contains("packed").then_some(()));
        }
        program.signal(Signal::KILL);
        program.end();
    }
    // A checkpoint of version 0.1.0 does not say that the file is compressed.
    let packed = regex::Regex::new(r#""packed":\d+,"#).unwrap();
    let checkpoint = packed.replace(&pod.checkpoint().unwrap(), "").into_owned();
    fs::write(pod.beside("state/checkpoint.json"), checkpoint).unwrap();
    let program = pod.start(&["--output", &url, "--output", &pod.file_output()]);
    collector.wait_for(&line(20_099));
    until("the last line is there", || pod.out().contains(&line(20_099)).then_some(()));
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lost"], 0);
    assert_all_there(collector.messages().iter().map(String::as_str), 20_100);
    assert_all_there(whole_lines(&pod.out()), 20_100);
}

#[test]
fn compressed_files_are_no_rotated_ones_when_the_checkpoint_is_lost() {
    let (pod, mut writer) = Pod::with_a_past();
    writer.rotate(3);
    gzip(&pod.log("app.log.1"));
    writer.write(10);
    fs::write(pod.beside("state/checkpoint.json"), "{").unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(110);
    assert_eq!(ledger(&stop(program))["lines"], 10);
}

#[test]
fn what_is_in_no_copy_either_is_counted() {
    let (pod, mut writer) = Pod::with_a_past();
    let url = format!("http://{}/", free_address());
    writer.write(10);
    let mut program = pod.start(&["--output", &url]);
    program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
    let size = fs::metadata(pod.log("app.log")).unwrap().len();
    until("it is in the checkpoint", || pod.checkpoint()?.contains(&format!("\"seen\":{size}")).then_some(()));
    program.signal(Signal::KILL);
    program.end();
    writer.truncate();
    writer.write(1);
    fs::write(pod.log("other"), "another content\n").unwrap();
    gzip(&pod.log("other"));
    let mut program = pod.start(&["--output", &url]);
    let lost = program.wait_for_message("lost: no output gets the rest of this file");
    assert_eq!((&lost["bytes"], &lost["reason"]), (&size.into(), &"gone while not running".into()));
}
