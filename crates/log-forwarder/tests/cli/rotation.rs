//! Files that are renamed, copied and truncated, swapped, deleted: read to their end, or counted.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::{MetadataExt, symlink},
};

use crate::{
    collector::Collector,
    support::{Pod, Program, Writer, append, assert_all_there, http, ledger, line, start, stop, until},
};

/// Whether every line is there, whichever file came first
#[track_caller]
pub(crate) fn assert_all_there_in_any_order<'a>(lines: impl Iterator<Item = &'a str>, count: u64) {
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    assert_all_there(lines.into_iter(), count);
}

/// Waits until the forwarder has seen this number of bytes that an output has not got.
#[track_caller]
pub(crate) fn wait_for_lag(program: &mut Program, bytes: u64) {
    let address = program.address("health");
    until(&format!("{bytes} bytes are behind"), || {
        let metrics = http::get(address, "/metrics").body;
        let lags = metrics.lines().filter(|line| line.starts_with("sidekit_log_forwarder_lag_bytes{"));
        let lag: u64 = lags.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum();
        (lag == bytes).then_some(())
    });
}

/// An address where nothing listens
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_renamed_file_is_read_to_its_end_while_its_writer_goes_on() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(10);
    // The app goes on in the old file until it gets the order to open the new one.
    fs::rename(pod.log("app.log"), pod.log("app.log.1")).unwrap();
    writer.write(10);
    pod.wait_for_lines(20);
    let mut late = append(&pod.log("app.log"));
    writeln!(late, "{}", line(20)).unwrap();
    pod.wait_for_lines(21);
    let ended = stop(program);
    assert_all_there(pod.out().lines(), 21);
    assert_eq!(ledger(&ended)["lines"], 21);
}

#[test]
fn a_rotation_that_outruns_every_look_loses_nothing() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    for _ in 0..200 {
        writer.write(3);
        writer.rotate(1000);
    }
    writer.write(3);
    pod.wait_for_lines(603);
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), 603);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (603, 0));
}

#[test]
fn after_copy_and_truncate_the_tail_is_read_from_the_copy() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    for round in 0..20 {
        writer.write(500);
        writer.copy_and_truncate(&format!(".{round}"));
        writer.write(1);
        // Nobody could tell two truncations from one, if there was no look between them.
        let written = usize::try_from(writer.written()).unwrap();
        pod.wait_for_lines(written);
    }
    let ended = stop(program);
    assert_all_there_in_any_order(pod.out().lines(), writer.written());
    let ledger = ledger(&ended);
    assert_eq!((ledger["lines"], ledger["lost"]), (writer.written(), 0));
}

#[test]
fn a_file_that_is_renamed_and_then_copied_comes_once() {
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_checkpoint();
    // As logrotate's renamecopy does it, with a rename as usual in between; 100 lines are more than what is compared of a head.
    for (count, is_copied) in [(3, true), (100, true), (3, false), (3, true), (100, false), (100, true), (3, true)] {
        writer.write(count);
        pod.wait_for_lines(usize::try_from(writer.written()).unwrap());
        if is_copied {
            for number in (1..9).rev() {
                let _ = fs::rename(pod.log(&format!("app.log.{number}")), pod.log(&format!("app.log.{}", number + 1)));
            }
            writer.move_away(".tmp");
            fs::copy(pod.log("app.log.tmp"), pod.log("app.log.1")).unwrap();
            fs::remove_file(pod.log("app.log.tmp")).unwrap();
        } else {
            writer.rotate(9);
        }
    }
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (writer.written(), 0));
    assert_all_there(pod.out().lines(), writer.written());
}

#[test]
fn what_a_truncation_takes_along_is_counted() {
    let (pod, address) = (Pod::new(), free_address());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(100);
    let size = fs::metadata(pod.log("app.log")).unwrap().len();
    let mut program = pod.start(&["--output", &format!("http://{address}/lines")]);
    wait_for_lag(&mut program, size);
    // The first lines are in flight already, and those are all: a batch holds far more.
    program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
    writer.write(50);
    let grown = fs::metadata(pod.log("app.log")).unwrap().len();
    until("the growth is seen", || pod.checkpoint()?.contains(&format!("\"seen\":{grown}")).then_some(()));
    writer.truncate();
    writer.write(1);
    let lost = program.wait_for_message("lost: no output gets the rest of this file");
    assert_eq!((&lost["bytes"], &lost["reason"]), (&(grown - size).into(), &"truncated".into()));
    let collector = Collector::on(TcpListener::bind(&address).unwrap());
    collector.wait_for(&line(150));
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lost"], ledger(&ended)["lines"]), (grown - size, 101));
    assert_eq!(collector.messages().len(), 101);
}

#[test]
fn a_swapped_link_leads_to_a_new_file_and_the_old_one_is_read_to_its_end() {
    let pod = Pod::new();
    let (one, two, link) = (pod.beside("one"), pod.beside("two"), pod.log("app.log"));
    let mut writer = Writer::new(&one);
    writer.write(5);
    symlink(&one, &link).unwrap();
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(5);
    let mut next = append(&two);
    writeln!(next, "{}", line(6)).unwrap();
    symlink(&two, pod.beside("swap")).unwrap();
    writer.write(1);
    fs::rename(pod.beside("swap"), &link).unwrap();
    pod.wait_for_lines(7);
    stop(program);
    assert_all_there_in_any_order(pod.out().lines(), 7);
}

#[test]
fn a_file_that_is_deleted_unread_is_delivered_all_the_same() {
    let (pod, address) = (Pod::new(), free_address());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(20_000);
    let size = fs::metadata(pod.log("app.log")).unwrap().len();
    let mut program = pod.start(&["--output", &format!("http://{address}/lines")]);
    wait_for_lag(&mut program, size);
    fs::remove_file(pod.log("app.log")).unwrap();
    let collector = Collector::on(TcpListener::bind(&address).unwrap());
    collector.wait_for(&line(19_999));
    let ended = stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 20_000);
    assert_eq!(ledger(&ended)["lost"], 0);
}

#[test]
fn deleted_files_are_held_only_up_to_a_bound_and_the_rest_is_counted() {
    let (pod, address) = (Pod::new(), free_address());
    Writer::new(&pod.log("app.log")).write(2000);
    let size = fs::metadata(pod.log("app.log")).unwrap().len();
    let mut command =
        pod.command(&["--output", &format!("http://{address}/lines"), "--max-pinned", "64KiB", "--max-line", "1KiB"]);
    let mut program = start(command.args(["--max-in-flight", "64KiB"]));
    wait_for_lag(&mut program, size);
    program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
    fs::remove_file(pod.log("app.log")).unwrap();
    let lost = program.wait_for_message("lost: no output gets the rest of this file");
    assert_eq!(lost["reason"], "over --max-pinned");
    let collector = Collector::on(TcpListener::bind(&address).unwrap());
    collector.wait_for(&line(0));
    let ended = stop(program);
    let ledger = ledger(&ended);
    assert_eq!((ledger["read"], lost["bytes"].as_u64().unwrap()), (size, ledger["lost"]));
    assert_eq!(collector.messages().len() as u64, ledger["lines"]);
}

#[test]
fn two_files_with_equal_heads_are_two() {
    let pod = Pod::new();
    let banner = format!("{}\n", "=".repeat(2000));
    for (name, number) in [("a.log", 0), ("b.log", 1), ("c.log", 2)] {
        fs::write(pod.log(name), format!("{banner}{}\n", line(number))).unwrap();
    }
    let pattern = pod.log("?.log").display().to_string();
    let program = pod.start(&["--input", &pattern, "--output", &pod.file_output()]);
    pod.wait_for_lines(6);
    stop(program);
    let out = pod.out();
    assert_all_there_in_any_order(out.lines().filter(|line| !line.starts_with('=')), 3);
    assert_eq!(out.lines().count(), 6);
}

#[test]
fn an_inode_that_is_used_again_is_another_file() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(10);
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(10);
    stop(program);
    let inode = fs::metadata(pod.log("app.log")).unwrap().ino();
    fs::remove_file(pod.log("app.log")).unwrap();
    let mut file = append(&pod.log("app.log"));
    if file.metadata().unwrap().ino() != inode {
        eprintln!("this file system did not use the inode again; set TMPDIR to one on ext4");
    }
    for number in 10..25 {
        writeln!(file, "{}", line(number)).unwrap();
    }
    let program = pod.start(&["--output", &pod.file_output()]);
    pod.wait_for_lines(25);
    stop(program);
    assert_all_there(pod.out().lines(), 25);
    assert_eq!(pod.out().lines().count(), 25);
}

#[test]
fn an_empty_file_between_two_others_keeps_their_order() {
    let (pod, address) = (Pod::new(), free_address());
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(20_000);
    let program = pod.start(&["--output", &format!("http://{address}/lines")]);
    for files in 1..3 {
        until("the file is known", || (pod.checkpoint()?.matches("\"inode\"").count() >= files).then_some(()));
        writer.rotate(5);
    }
    writer.write(1);
    until("the last file is known", || (pod.checkpoint()?.matches("\"inode\"").count() >= 3).then_some(()));
    let collector = Collector::on(TcpListener::bind(&address).unwrap());
    collector.wait_for(&line(20_000));
    stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 20_001);
}
