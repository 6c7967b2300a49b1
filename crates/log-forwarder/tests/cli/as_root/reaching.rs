//! Collectors and logins that can hardly be reached.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use harness::{HungMount, set_loopback, with_own_mounts, with_own_namespaces};

use super::mount;
use crate::{
    collector::Collector,
    support::{Pod, Signal, Writer, http, ledger, line, stop},
};

#[test]
fn a_token_on_a_mount_whose_server_is_gone_stops_no_other_output() {
    with_own_mounts(|| {
        let pod = Pod::new();
        let _mount = HungMount::new(&pod.beside("mnt"));
        let mut writer = Writer::new(&pod.log("app.log"));
        writer.write(10);
        let token = format!("http://127.0.0.1:9/#token-file={}", pod.beside("mnt/token").display());
        let ca = format!("https://127.0.0.1:9/#ca={}", pod.beside("mnt/ca.pem").display());
        let outputs = ["--output", &token, "--output", &ca, "--output", &pod.file_output()];
        let mut program = pod.start(&outputs);
        let health = program.address("health");
        for option in ["token-file", "ca"] {
            let told = program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
            let reason = told["reason"].as_str().unwrap();
            assert!(reason.ends_with("does not answer: is its server gone?"), "{option}: {told}");
        }
        writer.write(10);
        pod.wait_for_lines(20);
        assert_eq!(http::get(health, "/livez").status, 200);
        program.signal(Signal::KILL);
    });
}

#[test]
fn a_collector_whose_first_address_is_silent_is_reached_by_the_second() {
    with_own_mounts(|| {
        let pod = Pod::new();
        for (name, text) in [("hosts", ""), ("nsswitch.conf", "hosts: files\n"), ("host.conf", "multi on\n")] {
            fs::write(pod.beside(name), text).unwrap();
            let (file, target) = (pod.beside(name).display().to_string(), Path::new("/etc").join(name));
            if target.exists() {
                mount(&["--bind", &file], &target);
            }
        }
        fs::write(pod.beside("hosts"), "127.0.0.1 collector.test\n127.0.0.2 collector.test\n").unwrap();
        // A listener whose backlog is full drops what comes, as a host that is gone does.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let patience = Duration::from_millis(200);
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, patience) {
            waiting.push(stream);
        }
        let collector = Collector::on(TcpListener::bind(("127.0.0.2", address.port())).unwrap());
        Writer::new(&pod.log("app.log")).write(10);
        let program = pod.start(&["--output", &format!("http://collector.test:{}/", address.port())]);
        collector.wait_for(&line(9));
        assert_eq!(ledger(&stop(program))["lines"], 10);
        drop((silent, waiting));
    });
}

/// Of 25 s, so that a stop has time for another connection
const NOTICED_WITHIN: Duration = Duration::from_secs(22);

#[test]
fn a_kept_connection_to_a_host_that_is_gone_is_noticed_before_a_stop_is_over() {
    with_own_namespaces(
        &["--mount", "--net"],
        || set_loopback(true),
        || {
            let (pod, collector) = (Pod::new(), Collector::start());
            let mut writer = Writer::new(&pod.log("app.log"));
            writer.write(10);
            let mut program = pod.start(&["--output", &collector.url()]);
            collector.wait_for(&line(9));
            // No packet comes through, and none says so.
            set_loopback(false);
            let silent = Instant::now();
            writer.write(10);
            program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
            assert!(silent.elapsed() < NOTICED_WITHIN, "{:?}", silent.elapsed());
            set_loopback(true);
            collector.wait_for(&line(19));
            assert_eq!(ledger(&stop(program))["lost"], 0);
            assert_eq!(collector.connections(), 2);
        },
    );
}
