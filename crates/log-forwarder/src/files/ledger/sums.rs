//! The sums of an account, for tests and fuzzing.

use std::sync::atomic::Ordering::Relaxed;

use super::Account;

/// The sums of one account, in bytes
#[derive(Debug)]
pub(crate) struct Sums {
    pub(crate) read: u64,
    pub(crate) delivered: u64,
    pub(crate) rejected: u64,
    pub(crate) dropped: u64,
    pub(crate) lost: u64,
    pub(crate) in_flight: u64,
}

impl Account {
    /// The sums of this account, in bytes
    pub(crate) fn sums(&self) -> Sums {
        Sums {
            read: self.read_bytes.get(),
            delivered: self.delivered_bytes.get(),
            rejected: self.rejected_bytes.get(),
            dropped: self.dropped_bytes.get(),
            lost: self.lost_in_all.load(Relaxed),
            in_flight: self.in_flight_bytes.get().cast_unsigned(),
        }
    }
}
