//! Any bytes as the content of a message of LDAP.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| wait_for::fuzzing::ldap(bytes));
