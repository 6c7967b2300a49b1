//! The time: on the wall clock, and since the boot of the machine.
//!
//! A life is counted on `CLOCK_BOOTTIME`, because it goes on in suspend and no correction of the wall clock moves it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustix::time::{ClockId, clock_gettime};

/// A point on `CLOCK_BOOTTIME`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

/// Both clocks, read together
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) moment: Moment,
    pub(crate) wall: SystemTime,
}

/// Where the time comes from; tests have one of their own
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Moment {
    /// This long after the boot
    pub(crate) const fn since_boot(duration: Duration) -> Self {
        Self(duration)
    }

    /// Since the boot
    pub(crate) fn seconds(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// The moment that is this much later.
    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The time since an earlier moment; zero if that one is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Now {
    /// What the wall clock shows at this moment, if nobody moves it.
    pub(crate) fn wall_at(&self, moment: Moment) -> SystemTime {
        let later = moment.since(self.moment);
        let shown = if later.is_zero() {
            self.wall.checked_sub(self.moment.since(moment))
        } else {
            self.wall.checked_add(later)
        };
        shown.unwrap_or(self.wall)
    }
}

impl Clock {
    /// The clocks of the machine
    pub(crate) fn system() -> Self {
        Self(Arc::new(|| {
            let boot = clock_gettime(ClockId::Boottime);
            let since_boot = Duration::try_from(boot).unwrap_or_default();
            Now { moment: Moment(since_boot), wall: SystemTime::now() }
        }))
    }

    /// A clock of a test
    #[cfg(test)]
    pub(crate) fn of(read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(crate) fn now(&self) -> Now {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_of_a_moment() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let now = Now { moment: Moment(Duration::from_secs(50)), wall };
        let at = |seconds| now.wall_at(Moment(Duration::from_secs(seconds)));
        assert_eq!(at(60), wall + Duration::from_secs(10));
        assert_eq!(at(40), wall - Duration::from_secs(10));
        assert_eq!(at(u64::MAX), wall, "what no clock can show");
    }

    #[test]
    fn the_clocks_of_the_machine_go_on() {
        let clock = Clock::system();
        let (first, second) = (clock.now(), clock.now());
        assert!(first.moment <= second.moment && first.moment > Moment(Duration::ZERO));
    }
}
