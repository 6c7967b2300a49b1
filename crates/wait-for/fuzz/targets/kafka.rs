//! Any bytes as an answer of Kafka.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::kafka(bytes));
