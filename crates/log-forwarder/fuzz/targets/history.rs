//! A history of logs and their rotation, of which each byte is a step.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], bool)| {
    let (steps, is_narrow) = input;
    log_forwarder::fuzzing::history(&steps[..steps.len().min(300)], is_narrow);
});
