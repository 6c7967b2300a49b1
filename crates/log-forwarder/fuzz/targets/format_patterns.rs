//! Regular expressions from the first line, for the lines that follow.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let Ok(pattern) = std::str::from_utf8(&input[..line]) else { return };
    let (format, text) = (format!("regex:{pattern}"), &input[line..]);
    log_forwarder::fuzzing::format(&["--format", &format], text);
    log_forwarder::fuzzing::format(&["--multiline", pattern], text);
});
