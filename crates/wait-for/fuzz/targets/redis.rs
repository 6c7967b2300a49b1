//! Any bytes as a reply of Redis.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::redis(bytes));
