//! Faults that last long: a collector that is away over rotations, one that is slow, one that fails at random.

use std::{fs, net::TcpListener, os::unix::fs::MetadataExt};

use crate::{
    collector::{Answer, Collector},
    rotation::{assert_all_there_in_any_order, free_address},
    support::{Pod, Writer, accept, ledger, line, stop, until},
};

#[test]
fn a_collector_that_is_away_over_several_rotations_gets_everything() {
    let (pod, address) = (Pod::new(), free_address());
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &format!("http://{address}/lines")]);
    pod.wait_for_checkpoint();
    for _ in 0..5 {
        writer.write(2000);
        writer.rotate(3);
        // Rotated away and deleted once it is seen
        until("the file is seen", || {
            let inode = fs::metadata(pod.log("app.log.1")).unwrap().ino();
            pod.checkpoint()?.contains(&format!("\"inode\":{inode},")).then_some(())
        });
    }
    writer.write(1);
    let collector = Collector::on(TcpListener::bind(&address).unwrap());
    collector.wait_for(&line(10_000));
    let ended = stop(program);
    assert_all_there_in_any_order(collector.messages().iter().map(String::as_str), 10_001);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (10_001, 0));
}

#[test]
fn a_collector_that_fails_in_all_ways_gets_everything() {
    let pod = Pod::new();
    let collector = Collector::start();
    let ways =
        [Answer::HalfAndClose, Answer::Keep(200), Answer::Say(503, "Retry-After: 0\r\n".into()), Answer::Keep(202)];
    collector.answer(ways.iter().cycle().take(40).cloned());
    let mut writer = Writer::new(&pod.log("app.log"));
    let program = pod.start(&["--output", &collector.url()]);
    for round in 0..20 {
        writer.write(100);
        if round % 5 == 4 {
            writer.rotate(10);
        }
        let before = collector.seen().len();
        collector.wait_for_requests(before + 1);
    }
    writer.write(1);
    collector.wait_for(&line(2000));
    let ended = stop(program);
    assert_all_there_in_any_order(collector.messages().iter().map(String::as_str), 2001);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (2001, 0));
}

/// The most memory a process has had, in KiB
pub(crate) fn peak_memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn memory_follows_the_bounds_and_not_what_is_behind() {
    let (pod, address) = (Pod::new(), free_address());
    let mut writer = Writer::new(&pod.log("app.log"));
    for _ in 0..40 {
        writer.write(20_000);
    }
    let size = fs::metadata(pod.log("app.log")).unwrap().len();
    assert!(size > 64 << 20, "{size}");
    // It accepts and never reads: the kernel's buffers fill, and then nothing moves.
    let listener = TcpListener::bind(&address).unwrap();
    let mut program = pod.start(&["--output", &format!("http://{address}/"), "--output", &pod.file_output()]);
    let _stuck = accept(&listener);
    until("the other output has all", || {
        (fs::metadata(pod.beside("out")).is_ok_and(|out| out.len() == size)).then_some(())
    });
    let peak = peak_memory(program.id());
    assert!(peak < 40 * 1024, "{peak} KiB");
    program.signal(crate::support::Signal::TERM);
    program.wait_for_message("stopping");
}
