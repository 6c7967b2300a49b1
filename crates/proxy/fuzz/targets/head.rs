//! Any bytes as a client's connection.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], u8, bool)| {
    let (bytes, piece, is_trusted) = input;
    proxy::fuzzing::head(bytes, piece, is_trusted);
});
