//! Any bytes as a compressed file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| log_forwarder::fuzzing::compressed(bytes));
