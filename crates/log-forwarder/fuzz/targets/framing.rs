//! Where a batch ends, in any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], u8, bool, bool)| {
    let (bytes, longest, skipping, last) = input;
    log_forwarder::fuzzing::framing(bytes, longest, skipping, last);
});
