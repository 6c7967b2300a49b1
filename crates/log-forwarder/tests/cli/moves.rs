//! Files that are moved to another directory of the inputs.

use std::fs;

use crate::support::{Pod, Writer, assert_all_there, ledger, stop};

/// Inputs that lead to files in two directories
fn two_directories(pod: &Pod) -> [String; 4] {
    fs::create_dir(pod.log("archive")).unwrap();
    let patterns = ["*.log", "archive/*.log"].map(|pattern| pod.log(pattern).display().to_string());
    let [first, second] = patterns;
    ["--input".into(), first, "--input".into(), second]
}

#[test]
fn a_file_that_was_moved_to_another_directory_of_the_inputs_does_not_come_again() {
    let pod = Pod::new();
    let inputs = two_directories(&pod);
    let output = pod.file_output();
    let arguments: Vec<&str> = inputs.iter().map(String::as_str).chain(["--output", &output]).collect();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let program = pod.start(&arguments);
    pod.wait_for_lines(10);
    // While log-forwarder runs
    fs::rename(pod.log("app.log"), pod.log("archive/app-1.log")).unwrap();
    writer.write(10);
    pod.wait_for_lines(20);
    assert_eq!(ledger(&stop(program))["lost"], 0);
    let program = pod.start(&arguments);
    writer.write(10);
    pod.wait_for_lines(30);
    stop(program);
    // While it does not
    fs::rename(pod.log("archive/app-1.log"), pod.log("app-1.log")).unwrap();
    writer.write(10);
    let program = pod.start(&arguments);
    pod.wait_for_lines(40);
    let ended = stop(program);
    assert_eq!(ledger(&ended)["lost"], 0, "{ended:#?}");
    assert_all_there(pod.out().lines(), 40);
}
