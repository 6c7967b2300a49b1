//! Lines of JSON objects.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| log_forwarder::fuzzing::format(&["--format", "json"], text));
