//! Any bytes as the frames of an HTTP/2 client.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], u8)| {
    let (bytes, piece) = input;
    proxy::fuzzing::frames(bytes, piece);
});
