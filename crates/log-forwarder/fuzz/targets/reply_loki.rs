//! Any text as Loki's answer to a push.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u8)| log_forwarder::fuzzing::reply_loki(input.0, input.1));
