//! Random histories on a model of a file system, which check what the forwarder promises about
//! files and its books.

mod app;
mod books;
mod history;
mod order;
mod run;
mod setup;
mod volume;

pub(crate) use self::{
    history::{Step, play},
    setup::Setup,
};

#[cfg(test)]
mod tests;
