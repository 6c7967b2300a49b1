//! Any bytes as a certificate in DER.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| endpoint::fuzzing::certificate(bytes));
