//! Any bytes as frames of a WebSocket and as server-sent events.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], u8)| proxy::fuzzing::stream(input.0, input.1));
