//! Any bytes as the events of a watch of Kubernetes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::kubernetes(bytes));
