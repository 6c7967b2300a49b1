//! The time of a record: which field holds it, in which form, and in which zone. Pure.

mod calendar;
mod form;
mod known;
mod rule;
mod zone;

pub(crate) use self::{
    form::TimeForm,
    known::{common_log, parse},
    rule::{TimeFlags, TimeKey, TimeRule},
    zone::Zone,
};

#[cfg(test)]
mod tests;
