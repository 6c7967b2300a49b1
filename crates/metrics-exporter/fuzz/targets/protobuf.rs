//! Any bytes as a page of delimited protobuf.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| metrics_exporter::fuzzing::protobuf(bytes));
