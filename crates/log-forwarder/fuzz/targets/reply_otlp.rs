//! Any bytes as an answer of OTLP.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| log_forwarder::fuzzing::reply_otlp(bytes));
