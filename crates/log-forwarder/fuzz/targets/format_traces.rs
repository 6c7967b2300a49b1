//! Stack traces of all languages, in all kinds of characters.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    for language in ["java", "python", "go", "rust"] {
        log_forwarder::fuzzing::format(&["--multiline", language], text);
    }
    for encoding in ["shift_jis", "gb18030", "windows-1252"] {
        log_forwarder::fuzzing::format(&["--encoding", encoding], text);
    }
});
