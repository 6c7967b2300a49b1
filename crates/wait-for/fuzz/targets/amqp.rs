//! Any bytes as the content of a frame of AMQP.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::amqp(bytes));
