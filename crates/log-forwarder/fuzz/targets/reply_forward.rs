//! Any bytes as what the other side of the forward protocol says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| log_forwarder::fuzzing::reply_forward(bytes));
