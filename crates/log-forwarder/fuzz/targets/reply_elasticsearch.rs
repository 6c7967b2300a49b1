//! Any bytes as the reply to a bulk request of so many documents.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| log_forwarder::fuzzing::reply_elasticsearch(input.1, input.0));
