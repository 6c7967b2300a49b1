//! Lines of nginx's access log.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| log_forwarder::fuzzing::format(&["--format", "nginx"], text));
