//! Whether the files of one secret hold its newest value: pure.

use std::time::Duration;

use crate::schedule::clock::{Moment, Now};

/// Between two writes that fail
const RETRY: Duration = Duration::from_secs(5);
/// Equal files are looked at this often, because somebody may have replaced them or their directory.
const LOOK: Duration = Duration::from_secs(60);
/// Before and after all moments of a process
const NEVER: Moment = Moment::since_boot(Duration::ZERO);
const ALWAYS: Moment = Moment::since_boot(Duration::MAX);

/// What has become of the files
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Files {
    /// They do not hold the newest value.
    Behind,
    /// They hold it.
    Written,
    /// They were removed, because it has expired.
    Deleted,
}

/// The state of the files, and when they are worked on again
#[derive(Clone, Debug)]
pub(crate) struct WriteState {
    files: Files,
    due: Moment,
    /// When the value in the files expires, whether it is the newest one or not; the boot where they hold none
    valid_until: Moment,
}

impl WriteState {
    pub(crate) fn new(now: &Now) -> Self {
        Self { files: Files::Behind, due: now.moment, valid_until: NEVER }
    }

    /// Whether the files hold a value that has not expired, if not the newest one.
    pub(crate) fn is_valid(&self, now: &Now) -> bool {
        now.moment < self.valid_until
    }

    /// Whether the files hold the newest value.
    pub(crate) fn is_written(&self) -> bool {
        self.files == Files::Written
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.files == Files::Deleted
    }

    /// When the files are worked on again
    pub(crate) fn due(&self) -> Moment {
        self.due
    }

    pub(crate) fn is_due(&self, now: &Now) -> bool {
        now.moment >= self.due
    }

    /// There is a new value.
    pub(crate) fn fall_behind(&mut self, now: &Now) {
        (self.files, self.due) = (Files::Behind, now.moment);
    }

    /// The value is the same, and expires later; without a known expiry, never.
    pub(crate) fn prolong(&mut self, expires: Option<Moment>) {
        if self.files == Files::Written {
            self.valid_until = expires.unwrap_or(ALWAYS);
        }
    }

    /// The value has expired, and its files are to be removed.
    pub(crate) fn hasten(&mut self, now: &Now) {
        self.due = now.moment;
    }

    /// The files hold the newest value, which expires then; without a known expiry, never.
    pub(crate) fn written(&mut self, expires: Option<Moment>, now: &Now) {
        let valid_until = expires.unwrap_or(ALWAYS);
        *self = Self { files: Files::Written, due: now.moment.plus(LOOK), valid_until };
    }

    pub(crate) fn deleted(&mut self, now: &Now) {
        *self = Self { files: Files::Deleted, due: now.moment.plus(LOOK), valid_until: NEVER };
    }

    /// A write or a removal has failed.
    pub(crate) fn failed(&mut self, now: &Now) {
        (self.files, self.due) = (Files::Behind, now.moment.plus(RETRY));
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn at(seconds: u64) -> Now {
        Now { moment: Moment::since_boot(Duration::from_secs(seconds)), wall: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn files_are_good_for_as_long_as_the_value_in_them() {
        let expires = |seconds| Some(at(seconds).moment);
        let mut writes = WriteState::new(&at(1));
        assert!(!writes.is_valid(&at(1)), "there are none yet");
        writes.written(expires(100), &at(2));
        writes.fall_behind(&at(80));
        writes.failed(&at(90));
        assert!(!writes.is_written() && writes.is_valid(&at(99)) && !writes.is_valid(&at(100)));
        writes.written(expires(200), &at(110));
        writes.prolong(expires(300));
        assert!(writes.is_valid(&at(299)) && !writes.is_valid(&at(300)));
        writes.written(None, &at(310));
        assert!(writes.is_valid(&at(1_000_000)));
        writes.deleted(&at(320));
        assert!(!writes.is_valid(&at(321)));
    }
}
