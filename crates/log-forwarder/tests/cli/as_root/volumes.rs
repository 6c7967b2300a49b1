//! Volumes whose server is gone, and links that an app plants where the forwarder writes.

use std::{
    fs,
    os::unix::fs::{lchown, symlink},
    time::{Duration, Instant},
};

use harness::{HungMount, with_own_mounts};

use super::{USER, mount};
use crate::{
    collector::Collector,
    support::{Pod, Signal, Writer, assert_all_there, ledger, line, log_forwarder, start, stop, until},
};

/// Shorter than `--shutdown-timeout`
const SOON: Duration = Duration::from_secs(22);

#[test]
fn a_state_directory_or_an_input_that_never_answers_ends_the_start_with_its_name() {
    with_own_mounts(|| {
        let pod = Pod::new();
        let _mount = HungMount::new(&pod.beside("mnt"));
        let path = |name: &str| pod.beside(name).display().to_string();
        let output = pod.file_output();
        let arguments = ["--output", &output, "--health-addr", "127.0.0.1:0"];
        for (input, state) in [("logs/app.log", "mnt/state"), ("mnt/*.log", "state")] {
            let mut command = log_forwarder(&arguments);
            command.args(["--input", &path(input), "--state-dir", &path(state)]);
            let ended = harness::Program::start(&mut command).end();
            assert_eq!(ended.code, Some(74), "{ended:#?}");
            let last = ended.log.last().unwrap().message().to_owned();
            assert!(last.contains("/mnt") && last.contains("is its server gone?"), "{last}");
        }
    });
}

#[test]
fn a_state_directory_that_stops_answering_costs_no_line_and_the_stop_ends_in_time() {
    with_own_mounts(|| {
        let pod = Pod::new();
        let mut writer = Writer::new(&pod.log("app.log"));
        writer.write(10);
        let program = pod.start(&["--output", &pod.file_output()]);
        pod.wait_for_lines(10);
        pod.wait_for_checkpoint();
        fs::rename(pod.beside("state"), pod.beside("before")).unwrap();
        let _mount = HungMount::new(&pod.beside("state"));
        writer.write(10);
        pod.wait_for_lines(20);
        let start = Instant::now();
        program.signal(Signal::TERM);
        let ended = program.end();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        assert_eq!((ended.code, ledger(&ended)["lines"]), (Some(0), 20), "{ended:#?}");
        let is_told = |line: &harness::Line| line.message().starts_with("the checkpoint is not saved after");
        assert!(ended.log.iter().any(is_told), "{ended:#?}");
    });
}

#[test]
fn an_output_or_dead_letters_that_never_answer_stop_no_other_output() {
    with_own_mounts(|| {
        let (pod, collector) = (Pod::new(), Collector::start());
        collector.refuse_lines_with("line");
        let _mount = HungMount::new(&pod.beside("mnt"));
        let mut writer = Writer::new(&pod.log("app.log"));
        writer.write(10);
        let hung = format!("file://{}", pod.beside("mnt/out").display());
        let letters = pod.beside("mnt/letters").display().to_string();
        let output = pod.file_output();
        let url = collector.url();
        let arguments = ["--output", &hung, "--output", &url, "--output", &output, "--dead-letter", &letters];
        let mut program = pod.start(&arguments);
        pod.wait_for_lines(10);
        let reasons = [(); 2].map(|()| {
            let told = program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
            told["reason"].as_str().unwrap().to_owned()
        });
        assert!(reasons.iter().any(|reason| reason.starts_with("nothing was taken within 10s")), "{reasons:?}");
        assert!(reasons.iter().any(|reason| reason.starts_with("cannot write the dead letter")), "{reasons:?}");
        writer.write(10);
        pod.wait_for_lines(20);
        program.signal(Signal::KILL);
    });
}

#[test]
fn a_link_that_another_user_plants_leads_to_no_file() {
    let (pod, collector) = (Pod::new(), Collector::start());
    collector.refuse_lines_with("bad");
    for name in ["out", "letters"] {
        fs::write(pod.beside(&format!("victim-{name}")), "precious").unwrap();
        symlink(pod.beside(&format!("victim-{name}")), pod.beside(name)).unwrap();
        lchown(pod.beside(name), Some(USER), None).unwrap();
    }
    fs::write(pod.log("app.log"), format!("bad\n{}\n", line(0))).unwrap();
    let letters = pod.beside("letters").display().to_string();
    let (output, url) = (pod.file_output(), collector.url());
    let mut program = pod.start(&["--output", &output, "--output", &url, "--dead-letter", &letters]);
    for _ in 0..2 {
        let told = program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
        assert!(told["reason"].as_str().unwrap().contains("it is a symbolic link that user 65534 has made"), "{told}");
    }
    for name in ["out", "letters"] {
        assert_eq!(fs::read_to_string(pod.beside(&format!("victim-{name}"))).unwrap(), "precious");
        fs::remove_file(pod.beside(name)).unwrap();
    }
    pod.wait_for_lines(2);
    until("the dead letter is there", || fs::read_to_string(&letters).ok()?.contains("bad").then_some(()));
    stop(program);
}

#[test]
fn a_file_that_a_mount_puts_in_place_of_another_is_found_at_the_stop_signal() {
    with_own_mounts(|| {
        let pod = Pod::new();
        Writer::new(&pod.log("app.log"));
        Writer::new(&pod.beside("other")).write(10);
        // The end by --quiet-period, before which names are looked at, too, and the scan of each half minute are far away.
        let output = pod.file_output();
        let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--output", &output, "--quiet-period", "1h"]);
        command.args(["--shutdown-timeout", "5s"]).arg("--state-dir").arg(pod.beside("state"));
        let program = start(command.arg("--input").arg(pod.log("*.log")));
        pod.wait_for_checkpoint();
        // No event tells of this, and the directory is the same.
        mount(&["--bind", pod.beside("other").to_str().unwrap()], &pod.log("app.log"));
        program.signal(Signal::TERM);
        assert_eq!(program.end().code, Some(75));
        assert_all_there(pod.out().lines(), 10);
    });
}
