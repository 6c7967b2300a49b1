//! Any bytes as a page of text format 0.0.4.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| metrics_exporter::fuzzing::text(bytes));
