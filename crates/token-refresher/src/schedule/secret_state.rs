//! The state of one secret, as logs, metrics, checks and the status file name it.

use std::{fmt, time::Duration};

use crate::{schedule::Schedule, schedule::clock::Now};

/// How good the value of a secret is
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretState {
    /// There was none yet.
    Missing,
    /// It is valid, and the last call succeeded.
    Fresh,
    /// It is valid, and the last call failed.
    Stale,
    /// It was valid.
    Expired,
}

impl SecretState {
    pub(crate) const ALL: [Self; 4] = [Self::Missing, Self::Fresh, Self::Stale, Self::Expired];

    /// The state that these times mean.
    pub(crate) fn of(schedule: &Schedule, now: &Now) -> Self {
        match (schedule.has_value(), schedule.is_valid(now), schedule.failures()) {
            (false, ..) => Self::Missing,
            (true, false, _) => Self::Expired,
            (true, true, 0) => Self::Fresh,
            (true, true, _) => Self::Stale,
        }
    }

    /// `stale, 12m left`
    pub(crate) fn words(self, schedule: &Schedule, now: &Now) -> String {
        match (self, schedule.expires()) {
            (Self::Expired, Some(expires)) => format!("expired {} ago", coarse(now.moment.since(expires))),
            (Self::Fresh | Self::Stale, Some(expires)) => format!("{self}, {} left", coarse(expires.since(now.moment))),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for SecretState {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        })
    }
}

/// A duration in its largest unit, for words that people read
fn coarse(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_their_largest_unit() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (172_800, "2d")] {
            assert_eq!(coarse(Duration::from_secs(seconds)), text);
        }
    }
}
