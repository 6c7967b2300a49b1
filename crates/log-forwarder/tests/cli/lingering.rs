//! Lines that wait for others in a request are in memory: whatever becomes of their file, they are delivered.

use std::{fs, net::SocketAddr};

use crate::{
    collector::Collector,
    support::{Pod, Program, Signal, Writer, http, ledger, line, stop, until},
};

/// log-forwarder whose lines wait, and its address for metrics
#[track_caller]
fn start(pod: &Pod, collector: &Collector, linger: &str) -> (Program, SocketAddr) {
    let mut program = pod.start(&["--output", &collector.url(), "--linger", linger]);
    pod.wait_for_checkpoint();
    let address = program.address("health");
    (program, address)
}

#[track_caller]
fn wait_for_memory(address: SocketAddr, bytes: u64) {
    let is_there = |line: &str| line.contains("in_flight_bytes") && line.ends_with(&format!(" {bytes}"));
    until(&format!("{bytes} bytes are in memory"), || {
        http::get(address, "/metrics").body.lines().any(is_there).then_some(())
    });
}

fn size(pod: &Pod) -> u64 {
    fs::metadata(pod.log("app.log")).unwrap().len()
}

#[test]
fn a_truncation_takes_no_line_that_was_seen() {
    let (pod, collector) = (Pod::new(), Collector::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    let (program, address) = start(&pod, &collector, "1h");
    let mut bytes = 0;
    for _ in 0..3 {
        for _ in 0..3 {
            let before = size(&pod);
            writer.write(5);
            bytes += size(&pod) - before;
            wait_for_memory(address, bytes);
        }
        writer.truncate();
    }
    let ended = stop(program);
    assert!(collector.messages() == (0..45).map(line).collect::<Vec<_>>(), "{:?}", collector.messages());
    assert_eq!((ledger(&ended)["lost"], collector.seen().len()), (0, 1));
}

#[test]
fn lines_that_wait_come_once_whatever_rotates_their_file() {
    let (pod, collector) = (Pod::new(), Collector::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    let (program, _) = start(&pod, &collector, "20ms");
    for round in 0..60 {
        writer.write(3);
        match round % 5 {
            0 | 3 => writer.rotate(100),
            1 => writer.copy_and_truncate(&format!("-2026{:04}", 1000 + round)),
            _ => collector.wait_for(&line(writer.written() - 1)),
        }
    }
    let ended = stop(program);
    // Files of several rotations that are seen at once are found in any order.
    let mut messages = collector.messages();
    messages.sort();
    assert!(messages == (0..180).map(line).collect::<Vec<_>>(), "{} {messages:?}", messages.len());
    assert_eq!(ledger(&ended)["lost"], 0);
}

#[test]
fn lines_that_waited_at_a_kill_are_read_again() {
    let (pod, collector) = (Pod::new(), Collector::start());
    let mut writer = Writer::new(&pod.log("app.log"));
    let (program, address) = start(&pod, &collector, "1h");
    writer.write(10);
    wait_for_memory(address, size(&pod));
    program.signal(Signal::KILL);
    program.end();
    assert!(collector.messages().is_empty());
    writer.rotate(3);
    writer.write(10);
    stop(start(&pod, &collector, "1h").0);
    assert!(collector.messages() == (0..20).map(line).collect::<Vec<_>>(), "{:?}", collector.messages());
}

#[test]
fn lines_that_wait_for_an_output_that_goes_are_counted() {
    let (pod, collector) = (Pod::new(), Collector::start());
    Writer::new(&pod.log("app.log")).write(10);
    let config = pod.beside("config.yaml");
    let text = |outputs: &str| format!("inputs: [{{path: {}}}]\noutputs: [{outputs}]\n", pod.log("app.log").display());
    let both = format!("'{}', '{}'", pod.file_output(), collector.url());
    fs::write(&config, text(&both)).unwrap();
    let mut command = crate::support::log_forwarder(&["--health-addr", "127.0.0.1:0", "--linger", "1h"]);
    command.arg("--config").arg(&config).arg("--state-dir").arg(pod.beside("state"));
    let mut program = crate::support::start(&mut command);
    wait_for_memory(program.address("health"), size(&pod));
    fs::write(&config, text(&format!("'{}'", pod.file_output()))).unwrap();
    program.signal(Signal::HUP);
    program.wait_for_message("is no longer delivered to");
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lost"], ledger(&ended)["delivered"]), (size(&pod), size(&pod)));
}
