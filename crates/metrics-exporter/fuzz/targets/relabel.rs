//! Any texts as a relabelling rule.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, &str, &str, &str)| {
    let (action, source_label, regex, target_label, replacement) = input;
    metrics_exporter::fuzzing::relabel(action, [source_label, regex, target_label, replacement]);
});
