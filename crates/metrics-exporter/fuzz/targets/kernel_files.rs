//! Any bytes as files of /proc and of cgroups.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| metrics_exporter::fuzzing::kernel_files(bytes));
