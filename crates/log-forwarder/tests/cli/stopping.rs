//! The end: the app writes on, the collector is away, nothing is cut short that could be finished.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    collector::{Answer, Collector},
    rotation::free_address,
    support::{
        Pod, Program, Signal, Writer, assert_adds_up, assert_all_there, http, ledger, line, log_forwarder, start, stop,
        until,
    },
};

#[test]
fn what_the_app_writes_after_the_stop_signal_is_delivered_too() {
    // A busy machine may stall the app for as long.
    let quiet_period = Duration::from_secs(3);
    let pod = Pod::new();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let mut program = start_patient(&pod, &pod.log("app.log").display().to_string(), "3s");
    pod.wait_for_lines(10);
    program.signal(Signal::TERM);
    program.wait_for_message("stopping");
    let done = Arc::new(AtomicBool::new(false));
    let mark = done.clone();
    let app = thread::spawn(move || {
        // It is never quiet for long, through rotations, and writes for longer than it may be quiet.
        let begin = Instant::now();
        while begin.elapsed() < quiet_period * 5 / 4 {
            writer.write(5);
            if writer.written().is_multiple_of(50) {
                writer.rotate(99);
            }
            thread::sleep(Duration::from_millis(20));
        }
        mark.store(true, SeqCst);
        writer.written()
    });
    let ended = program.end();
    assert!(done.load(SeqCst), "it ended before the app");
    let written = app.join().unwrap();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_all_there(pod.out().lines(), written);
    assert_adds_up(&ledger(&ended));
}

#[test]
fn a_file_that_is_not_quiet_until_the_deadline_is_named() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(5);
    let mut command = log_forwarder(&["--health-addr", "127.0.0.1:0", "--output", &pod.file_output()]);
    command.args(["--quiet-period", "30s", "--shutdown-timeout", "1s", "--input"]).arg(pod.log("app.log"));
    let program = start(&mut command);
    pod.wait_for_lines(5);
    program.signal(Signal::TERM);
    let file = pod.log("app.log").display().to_string();
    let told = format!(
        "reason=unfinished what=\"{file}\" last=\"all lines are delivered, but it was not quiet for --quiet-period"
    );
    program.end().ended_with(75, &told);
}

#[test]
fn a_collector_that_is_away_until_the_deadline_makes_it_75_and_the_next_run_delivers() {
    let (pod, address) = (Pod::new(), free_address());
    Writer::new(&pod.log("app.log")).write(100);
    let size = fs::metadata(pod.log("app.log")).unwrap().len();
    let url = format!("http://{address}/lines");
    let mut program = pod.start(&["--output", &url, "--shutdown-timeout", "1s"]);
    program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
    program.signal(Signal::TERM);
    let ended = program.end();
    ended.ended_with(75, &format!("reason=unfinished what=\"{size} bytes\" last=\"not delivered within"));
    let entries = ledger(&ended);
    assert_adds_up(&entries);
    assert_eq!((entries["read"], entries["in-flight"], entries["delivered"]), (size, size, 0));
    let collector = Collector::on(std::net::TcpListener::bind(&address).unwrap());
    let program = pod.start(&["--output", &url]);
    collector.wait_for(&line(99));
    stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 100);
}

#[test]
fn a_stop_wakes_a_courier_that_waits_as_long_as_the_server_asked_for() {
    let pod = Pod::new();
    let collector = Collector::start();
    collector.answer([Answer::Say(429, "Retry-After: 600\r\n".into())]);
    Writer::new(&pod.log("app.log")).write(5);
    let mut program = pod.start(&["--output", &collector.url()]);
    program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
    let ended = stop(program);
    assert_all_there(collector.messages().iter().map(String::as_str), 5);
    assert_eq!(ledger(&ended)["lines"], 5);
}

#[test]
fn a_collector_that_is_down_makes_nothing_unready() {
    let pod = Pod::new();
    Writer::new(&pod.log("app.log")).write(5);
    let mut program = pod.start(&["--output", &format!("http://{}/", free_address())]);
    let address = program.address("health");
    program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
    for path in ["/readyz", "/livez", "/startupz"] {
        assert_eq!(http::get(address, path).status, 200, "{path}");
    }
    until("retries are counted", || {
        let metrics = http::get(address, "/metrics").body;
        let retries = metrics.lines().find(|line| line.starts_with("sidekit_log_forwarder_retries_total{"))?;
        (!retries.ends_with(" 0")).then_some(())
    });
}

#[test]
fn without_a_state_directory_it_says_what_a_restart_costs() {
    let pod = Pod::new();
    let input = pod.log("app.log").display().to_string();
    Writer::new(&pod.log("app.log")).write(5);
    let mut command = crate::support::log_forwarder(&["--health-addr", "127.0.0.1:0", "--input", &input]);
    let mut program = harness::Program::start(command.args(["--output", "stdout://"]));
    program.wait_for_message("no --state-dir: a restart delivers every file again, from its beginning");
    let ended = stop(program);
    assert_all_there(ended.stdout.lines(), 5);
    let mut program = harness::Program::start(command.args(["--start-at", "end"]));
    program.wait_for_message(
        "no --state-dir: a restart passes over lines, because each start is a first one for --start-at end",
    );
    assert_eq!(stop(program).stdout, "");
}

/// A log in a directory below another, and the same with lines in it, which comes into its place without an event
fn pod_with_a_tree() -> (Pod, String) {
    let pod = Pod::new();
    fs::create_dir_all(pod.log("tree/deep")).unwrap();
    fs::create_dir_all(pod.beside("filled/deep")).unwrap();
    Writer::new(&pod.beside("filled/deep/app.log")).write(10);
    let input = pod.log("tree/deep/*.log").display().to_string();
    (pod, input)
}

/// log-forwarder with a time in which a test can do something between the stop signal and the end
fn start_patient(pod: &Pod, input: &str, quiet_period: &str) -> Program {
    let mut command =
        log_forwarder(&["--health-addr", "127.0.0.1:0", "--quiet-period", quiet_period, "--input", input]);
    command.args(["--output", &pod.file_output()]).arg("--state-dir").arg(pod.beside("state"));
    let program = start(&mut command);
    pod.wait_for_checkpoint();
    program
}

fn swap_trees(pod: &Pod) {
    fs::rename(pod.log("tree"), pod.beside("empty")).unwrap();
    fs::rename(pod.beside("filled"), pod.log("tree")).unwrap();
}

#[test]
fn a_stop_signal_causes_a_look_for_files_that_came_without_an_event() {
    let (pod, input) = pod_with_a_tree();
    let program = start_patient(&pod, &input, "200ms");
    swap_trees(&pod);
    stop(program);
    assert_all_there(pod.out().lines(), 10);
}

#[test]
fn files_that_come_without_an_event_after_the_stop_signal_are_found_before_the_end() {
    let (pod, input) = pod_with_a_tree();
    let mut program = start_patient(&pod, &input, "1500ms");
    program.signal(Signal::TERM);
    program.wait_for_message("stopping");
    swap_trees(&pod);
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_all_there(pod.out().lines(), 10);
}

#[test]
fn each_new_file_after_the_stop_signal_puts_off_the_end() {
    let pod = Pod::new();
    let input = pod.log("*/*.log").display().to_string();
    let mut program = start_patient(&pod, &input, "2s");
    program.signal(Signal::TERM);
    program.wait_for_message("stopping");
    for number in 0..10 {
        let directory = pod.log(&format!("job-{number}"));
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("app.log"), format!("{}\n", line(number))).unwrap();
        pod.wait_for_lines(usize::try_from(number + 1).unwrap());
    }
    let ended = program.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_all_there(pod.out().lines(), 10);
    assert_adds_up(&ledger(&ended));
}
