//! Any bytes as what MySQL sends during a login.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::mysql(bytes));
