//! Lines of Docker's json-file, in parts and of two streams.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    log_forwarder::fuzzing::format(&["--format", "docker"], text);
    log_forwarder::fuzzing::format(&["--format", "docker,json"], text);
    log_forwarder::fuzzing::format(&["--format", "docker", "--multiline", "java"], text);
});
