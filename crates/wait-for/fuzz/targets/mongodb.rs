//! Any bytes as a document in an answer of `MongoDB`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::mongodb(bytes));
