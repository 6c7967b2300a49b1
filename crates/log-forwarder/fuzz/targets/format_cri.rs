//! Lines of container runtimes, in parts and of two streams.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    log_forwarder::fuzzing::format(&["--format", "cri"], text);
    log_forwarder::fuzzing::format(&["--format", "cri,json"], text);
    log_forwarder::fuzzing::format(&["--format", "cri", "--multiline", "java"], text);
});
