//! How long a batch is sent again, before it goes to the dead letters: without end, unless options
//! say otherwise.

use std::time::Duration;

use endpoint::Options;

/// The options that [`Patience::from_options`] takes, of every output
pub(crate) const OPTIONS: [&str; 2] = ["retry-limit=NUMBER", "retry-age=24h"];

/// Limits of the attempts at one batch; `None` is none
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Attempts after the first one
    pub(crate) retries: Option<u32>,
    /// Since the first attempt
    pub(crate) age: Option<Duration>,
}

impl Patience {
    pub(crate) fn from_options(options: &mut Options) -> Result<Self, String> {
        Ok(Self { retries: options.number("retry-limit")?, age: options.parsed("retry-age", lifecycle::duration)? })
    }

    /// Whether a batch goes to the dead letters after this number of failed attempts, the first of
    /// which was this long ago
    pub(crate) fn is_over(self, failures: u32, age: Duration) -> bool {
        self.retries.is_some_and(|retries| failures > retries) || self.age.is_some_and(|limit| age >= limit)
    }

    /// Whether there is a limit
    pub(crate) fn has_limit(self) -> bool {
        self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fragment: &str) -> Result<Patience, String> {
        Patience::from_options(&mut Options::from_fragment(fragment).unwrap())
    }

    #[test]
    fn a_batch_is_given_up_at_the_first_limit() {
        let hour = Duration::from_secs(3600);
        let endless = of("").unwrap();
        assert!(!endless.has_limit() && !endless.is_over(u32::MAX, Duration::MAX));
        let limited = of("retry-limit=2&retry-age=1h").unwrap();
        assert!(limited.has_limit() && !limited.is_over(2, hour / 2));
        assert!(limited.is_over(3, hour / 2) && limited.is_over(1, hour));
        assert!(of("retry-limit=0").unwrap().is_over(1, Duration::ZERO));
    }

    #[test]
    fn what_is_no_limit_is_said() {
        assert_eq!(of("retry-limit=-1").unwrap_err(), "option retry-limit: this is not a number in range");
        assert!(of("retry-age=soon").unwrap_err().starts_with("option retry-age: "));
    }
}
