//! Lines that wait for others in a request are in memory. They are delivered also when their file is truncated or deleted.

use std::{fs, io::Write, net::SocketAddr};

use crate::{
    collector::Collector,
    support::{self, Pod, Program, Signal, Writer, append, http, ledger, line, log_forwarder, stop, until},
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

/// log-forwarder with a configuration, whose lines wait for an hour
#[track_caller]
fn configured(pod: &Pod, input: &str, outputs: &[String]) -> Program {
    configure(pod, input, outputs);
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--linger", "1h"]);
    support::start(command.arg("--config").arg(pod.beside("config.yaml")).arg("--state-dir").arg(pod.beside("state")))
}

fn configure(pod: &Pod, input: &str, outputs: &[String]) {
    let text = format!("inputs: [{{path: {}{input}}}]\noutputs: {outputs:?}\n", pod.log("app.log").display());
    fs::write(pod.beside("new.yaml"), text).unwrap();
    fs::rename(pod.beside("new.yaml"), pod.beside("config.yaml")).unwrap();
}

#[test]
fn lines_that_wait_for_an_output_that_goes_are_counted() {
    let (pod, collector) = (Pod::new(), Collector::start());
    Writer::new(&pod.log("app.log")).write(10);
    let mut program = configured(&pod, "", &[pod.file_output(), collector.url()]);
    wait_for_memory(program.address("health"), size(&pod));
    configure(&pod, "", &[pod.file_output()]);
    program.wait_for_message("is no longer delivered to");
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lost"], ledger(&ended)["delivered"]), (size(&pod), size(&pod)));
}

#[test]
fn a_new_configuration_holds_for_lines_that_wait_for_others() {
    let (pod, collector) = (Pod::new(), Collector::start());
    fs::write(pod.log("app.log"), "key=1 one\n").unwrap();
    let mut program = configured(&pod, "", &[collector.url()]);
    let address = program.address("health");
    wait_for_memory(address, size(&pod));
    configure(&pod, ", redact: ['key=(?<secret>\\d)']", &[collector.url()]);
    program.wait_for_message("new configuration in force");
    writeln!(append(&pod.log("app.log")), "key=2 two").unwrap();
    until("the growth is seen", || pod.checkpoint()?.contains(&format!("\"seen\":{}", size(&pod))).then_some(()));
    stop(program);
    assert_eq!(collector.messages(), ["key=[REDACTED] one", "key=[REDACTED] two"]);
}
