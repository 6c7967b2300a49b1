//! Whether the files of one secret hold its newest value: pure.

use std::time::Duration;

use crate::clock::{Moment, Now};

/// Between two writes that fail
const RETRY: Duration = Duration::from_secs(5);
/// Equal files are looked at this often, because somebody may have replaced them or their directory.
const LOOK: Duration = Duration::from_secs(60);

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
}

impl WriteState {
    pub(crate) fn new(now: &Now) -> Self {
        Self { files: Files::Behind, due: now.moment }
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
        *self = Self { files: Files::Behind, due: now.moment };
    }

    /// The value has expired, and its files are to be removed.
    pub(crate) fn hasten(&mut self, now: &Now) {
        self.due = now.moment;
    }

    pub(crate) fn written(&mut self, now: &Now) {
        *self = Self { files: Files::Written, due: now.moment.plus(LOOK) };
    }

    pub(crate) fn deleted(&mut self, now: &Now) {
        *self = Self { files: Files::Deleted, due: now.moment.plus(LOOK) };
    }

    /// A write or a removal has failed.
    pub(crate) fn failed(&mut self, now: &Now) {
        *self = Self { files: Files::Behind, due: now.moment.plus(RETRY) };
    }
}
