//! Any bytes as the type and the content of a message of PostgreSQL.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::postgres(bytes));
