//! From files to outputs: one courier for each output, retries, and dead letters.

pub(crate) mod courier;
pub(crate) mod couriers;
pub(crate) mod dead_letters;
pub(crate) mod gatherer;
mod in_flight;
mod notices;
pub(crate) mod retry;
