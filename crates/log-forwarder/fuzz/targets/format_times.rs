//! Forms of times from the first line, for the lines that follow.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let Ok(form) = std::str::from_utf8(&input[..line]) else { return };
    let text = &input[line..];
    for zone in ["UTC", "America/New_York"] {
        log_forwarder::fuzzing::format(&["--format", "json", "--time-zone", zone], text);
        log_forwarder::fuzzing::format(&["--format", "regex:(?<time>.*)", "--time-format", form, "--time-zone", zone], text);
    }
});
