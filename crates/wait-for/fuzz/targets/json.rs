//! Any bytes as a document of JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::json(bytes));
