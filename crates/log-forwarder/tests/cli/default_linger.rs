//! The promises about rotations, restarts and stops with the default `--linger`: lines wait in memory for a second while their
//! file is renamed, truncated or deleted, and while log-forwarder is stopped or killed.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use crate::{
    collector::Collector,
    support::{
        self, Ended, Pod, Program, Signal, Writer, assert_adds_up, ledger, line, number, stop, until, wait_for_metric,
    },
};

/// log-forwarder as users start it, and its address for metrics
#[track_caller]
fn start(pod: &Pod, collector: &Collector, arguments: &[&str]) -> (Program, SocketAddr) {
    let mut command = pod.command(&["--output", &collector.url()]);
    let mut program = support::start(command.args(arguments).env_remove("SIDEKIT_LOG_FORWARDER_LINGER"));
    pod.wait_for_checkpoint();
    let address = program.address("health");
    (program, address)
}

/// A pod with a log that nothing was written to, a collector, and log-forwarder between them
#[track_caller]
fn scene(arguments: &[&str]) -> (Pod, Collector, Writer, Program, SocketAddr) {
    let (pod, collector) = (Pod::new(), Collector::start());
    let writer = Writer::new(&pod.log("app.log"));
    let (program, address) = start(&pod, &collector, arguments);
    (pod, collector, writer, program, address)
}

/// The bytes of lines
fn bytes(lines: Range<u64>) -> usize {
    lines.map(|number| line(number).len() + 1).sum()
}

/// Waits until this run has read these lines: they wait in memory now, unless they are delivered already.
#[track_caller]
fn wait_until_read(address: SocketAddr, lines: Range<u64>) {
    wait_for_metric(address, "read_bytes_total", bytes(lines));
}

/// How often each line came
#[track_caller]
fn times(collector: &Collector) -> BTreeMap<u64, u64> {
    let mut times = BTreeMap::new();
    for message in collector.messages() {
        let number = number(&message).unwrap();
        assert_eq!(message, line(number));
        *times.entry(number).or_default() += 1;
    }
    times
}

/// Each line came once, whichever file came first, and none is lost.
#[track_caller]
fn assert_each_came_once(collector: &Collector, ended: &Ended, count: u64) {
    let times = times(collector);
    let wrong: Vec<_> = (0..count).filter(|number| times.get(number) != Some(&1)).collect();
    assert!(wrong.is_empty(), "of {count} lines, these came not once: {wrong:?} {ended:#?}");
    assert_eq!((ledger(ended)["lost"], ledger(ended)["lines"]), (0, count));
}

#[test]
fn a_file_that_is_renamed_while_its_lines_wait_is_read_to_its_end() {
    let (pod, collector, mut writer, program, address) = scene(&[]);
    for round in 1..4 {
        writer.write(10);
        wait_until_read(address, 0..writer.written());
        fs::rename(pod.log("app.log"), pod.log(&format!("app.log.{round}"))).unwrap();
        // The app goes on in the old file until it gets the order to open the new one.
        writer.write(10);
        wait_until_read(address, 0..writer.written());
        let next = writer.written();
        writer = Writer::new(&pod.log("app.log"));
        writer.skip(next);
    }
    writer.write(10);
    collector.wait_for(&line(69));
    let ended = stop(program);
    assert_each_came_once(&collector, &ended, 70);
}

#[test]
fn a_file_that_is_copied_and_truncated_while_its_lines_wait_comes_once() {
    let (_pod, collector, mut writer, program, address) = scene(&[]);
    for round in 0..6 {
        writer.write(10);
        if round % 2 == 0 {
            wait_until_read(address, 0..writer.written());
        }
        writer.copy_and_truncate(&format!(".{round}"));
        writer.write(1);
        // Two truncations look like one, unless there is a look between them.
        wait_until_read(address, 0..writer.written());
    }
    collector.wait_for(&line(65));
    let ended = stop(program);
    assert_each_came_once(&collector, &ended, 66);
}

#[test]
fn a_burst_of_rotations_while_lines_wait_loses_nothing() {
    let (_pod, collector, mut writer, program, _) = scene(&[]);
    for _ in 0..200 {
        writer.write(3);
        writer.rotate(1000);
    }
    writer.write(3);
    until("all lines are there", || (collector.messages().len() >= 603).then_some(()));
    let ended = stop(program);
    assert_each_came_once(&collector, &ended, 603);
    // The lines of 201 files waited for each other.
    let requests = collector.seen().len();
    assert!(requests < 100, "{requests}");
}

#[test]
fn a_file_that_is_deleted_while_its_lines_wait_is_delivered() {
    let (pod, collector, mut writer, program, address) = scene(&[]);
    for _ in 0..3 {
        writer.write(10);
        wait_until_read(address, 0..writer.written());
        fs::remove_file(pod.log("app.log")).unwrap();
        // The app does not know yet that its file has no name any more.
        writer.write(10);
        let next = writer.written();
        writer = Writer::new(&pod.log("app.log"));
        writer.skip(next);
    }
    collector.wait_for(&line(59));
    let ended = stop(program);
    assert_each_came_once(&collector, &ended, 60);
}

#[test]
fn lines_that_wait_at_a_stop_are_delivered_and_so_are_those_that_follow() {
    let (_pod, collector, mut writer, mut program, address) = scene(&[]);
    writer.write(10);
    wait_until_read(address, 0..10);
    writer.rotate(9);
    writer.write(10);
    program.signal(Signal::TERM);
    program.wait_for_message("stopping");
    for _ in 0..20 {
        writer.write(5);
        writer.rotate(99);
    }
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_adds_up(&ledger(&ended));
    assert_each_came_once(&collector, &ended, 120);
}

#[test]
fn an_app_that_writes_and_ends_at_once_has_its_lines_delivered() {
    for is_rotated in [false, true] {
        let done = tempfile::tempdir().unwrap();
        let file = done.path().join("done");
        let (_pod, collector, mut writer, program, _) = scene(&["--exit-with-file", file.to_str().unwrap()]);
        writer.write(10);
        if is_rotated {
            writer.rotate(9);
            writer.write(10);
        }
        fs::write(&file, "").unwrap();
        let ended = program.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_adds_up(&ledger(&ended));
        assert_each_came_once(&collector, &ended, writer.written());
    }
}

#[test]
fn after_a_kill_lines_that_waited_come_and_those_of_the_checkpoint_do_not_come_again() {
    let (pod, collector, mut writer, program, address) = scene(&[]);
    writer.write(10);
    collector.wait_for(&line(9));
    let saved = format!("\"position\":{}", bytes(0..10));
    until("the delivery is in the checkpoint", || pod.checkpoint()?.contains(&saved).then_some(()));
    writer.write(10);
    wait_until_read(address, 0..20);
    program.signal(Signal::KILL);
    program.end();
    let before = collector.messages().len();
    writer.rotate(9);
    writer.write(10);
    let (program, _) = start(&pod, &collector, &[]);
    collector.wait_for(&line(29));
    assert_eq!(ledger(&stop(program))["lost"], 0);
    let messages = collector.messages();
    // On a machine that is busy for a second, the lines that waited were delivered before the kill, and maybe saved.
    assert!(before == 10 || before == 20, "{before}");
    let again = if before == 20 && messages.len() == 30 { 20..30 } else { 10..30 };
    assert_eq!(messages[before..], again.map(line).collect::<Vec<_>>());
    assert_eq!(messages[..before], (0..before as u64).map(line).collect::<Vec<_>>());
}

#[test]
fn lines_that_waited_at_a_kill_and_have_no_file_any_more_are_counted() {
    for is_truncated in [false, true] {
        let (pod, collector, mut writer, program, address) = scene(&[]);
        writer.write(10);
        wait_until_read(address, 0..10);
        let seen = format!("\"seen\":{}", bytes(0..10));
        until("the lines are in the checkpoint", || pod.checkpoint()?.contains(&seen).then_some(()));
        if is_truncated {
            writer.truncate();
            writer.write(5);
            wait_until_read(address, 0..15);
        }
        program.signal(Signal::KILL);
        program.end();
        if !is_truncated {
            fs::remove_file(pod.log("app.log")).unwrap();
        }
        let ended = stop(start(&pod, &collector, &[]).0);
        // On a machine that is busy for a second, they are delivered, and the kill may come before the save.
        let times = times(&collector);
        let missing: usize =
            (0..10).filter(|number| !times.contains_key(number)).map(|number| bytes(number..number + 1)).sum();
        // Where the file was truncated, a checkpoint that was saved after that does not know them any more.
        assert!(is_truncated || ledger(&ended)["lost"] >= missing as u64, "{missing} {ended:#?}");
        assert!(!is_truncated || (10..15).all(|number| times.contains_key(&number)), "{times:?}");
    }
}

#[test]
fn killed_while_lines_wait_and_files_are_renamed_nothing_is_lost() {
    nothing_is_lost_when_killed(Writer::move_away);
}

#[test]
fn killed_while_lines_wait_and_files_are_copied_and_truncated_nothing_is_lost() {
    nothing_is_lost_when_killed(Writer::copy_and_truncate);
}

#[track_caller]
fn nothing_is_lost_when_killed(rotate: fn(&mut Writer, &str)) {
    const KILLS: u64 = 6;
    let (pod, collector, mut writer, mut program, _) = scene(&[]);
    let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (ended, progress) = (is_over.clone(), written.clone());
    let app = thread::spawn(move || {
        for round in 1.. {
            writer.write(5);
            progress.store(writer.written(), SeqCst);
            if round % 20 == 0 {
                rotate(&mut writer, &format!(".{}", 10_000 - round / 20));
            }
            if ended.load(SeqCst) {
                break;
            }
            // The pace of an app, not a wait
            thread::sleep(Duration::from_millis(4));
        }
    });
    for kill in 0..KILLS {
        let before = collector.messages().len();
        until("a request has come", || (collector.messages().len() > before).then_some(()));
        // A moment that depends on the work, and so falls anywhere in the second for which lines wait
        let later = written.load(SeqCst) + kill * 150;
        until("the app has written more", || (written.load(SeqCst) > later).then_some(()));
        program.signal(Signal::KILL);
        program.end();
        program = start(&pod, &collector, &[]).0;
    }
    is_over.store(true, SeqCst);
    app.join().unwrap();
    let written = written.load(SeqCst);
    collector.wait_for(&line(written - 1));
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lost"], 0, "{ended:#?}");
    let times = times(&collector);
    let missing: Vec<_> = (0..written).filter(|number| !times.contains_key(number)).collect();
    assert!(missing.is_empty(), "{missing:?} of {written} are lost: {ended:#?}");
    // At each kill, only lines that came after the last save can come again.
    let doubled = times.values().filter(|times| **times > 1).count();
    assert!(doubled as u64 * 2 < written, "{doubled} of {written} lines came again");
}
