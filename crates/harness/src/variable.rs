//! Variables that steer the tests themselves.

use std::env;

/// The value of a variable, when it is set
#[expect(clippy::disallowed_methods, reason = "tests have no command line; no helper runs this")]
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}
