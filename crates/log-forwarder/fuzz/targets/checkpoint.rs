//! Any text as a checkpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| log_forwarder::fuzzing::checkpoint(text));
