//! h2load, nghttp2's generator of load over HTTP/2.

use std::{
    process::Command,
    thread::{self, JoinHandle},
};

use crate::process::{command, output};

/// Load for this number of seconds, over four connections of 50 streams each; its report
pub fn load(url: &str, seconds: u32) -> JoinHandle<String> {
    let mut h2load = h2load();
    h2load.args(["-c", "4", "-m", "50", "-D", &seconds.to_string(), url]);
    thread::spawn(move || output(h2load))
}

/// With one thread
pub fn h2load() -> Command {
    let mut h2load = command("h2load");
    h2load.args(["-t", "1"]);
    h2load
}

/// Fails unless each of many requests got a good answer.
#[track_caller]
pub fn none_failed(report: &str) {
    let line = |name: &str| report.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{report}"));
    assert!(line("requests: ").contains(" 0 failed, 0 errored, 0 timeout"), "{report}");
    assert!(line("status codes: ").contains(" 0 3xx, 0 4xx, 0 5xx"), "{report}");
    let count = line("status codes: ").split_whitespace().nth(2).and_then(|count| count.parse::<u32>().ok());
    assert!(count.is_some_and(|count| count > 100), "{report}");
}
