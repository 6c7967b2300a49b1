//! A directory on a thread's way, with what of it is still to be looked at.

use std::{mem, sync::Arc};

use crate::{
    capabilities::words,
    directory::{Closed, Directory},
    names::Names,
    trail::Trail,
};

/// A directory on a thread's way
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) place: Place,
    /// Directories in it that have not been begun
    pub(crate) directories: Names,
    /// Other names that another thread has read
    pub(crate) others: Names,
    /// Whether there may be more to read
    pub(crate) more: bool,
    /// Bytes that its names count as
    pub(crate) size: usize,
}

/// Where it is
#[derive(Debug)]
pub(crate) enum Place {
    Open(Arc<Directory>),
    Closed(Closed),
    /// There is no way back into it: it was moved meanwhile
    Lost,
}

impl Frame {
    pub(crate) fn new(directory: Arc<Directory>, more: bool) -> Self {
        Self { place: Place::Open(directory), directories: Names::default(), others: Names::default(), more, size: 0 }
    }

    /// Gives the directory's descriptor back, unless another thread is in it.
    pub(crate) fn close(&mut self) {
        self.place = match mem::replace(&mut self.place, Place::Lost) {
            Place::Open(directory) => match Arc::try_unwrap(directory) {
                Ok(directory) => directory.close().map_or(Place::Lost, Place::Closed),
                Err(shared) => Place::Open(shared),
            },
            other => other,
        };
    }

    /// Comes back into it from a directory below, if it was closed. Where that fails, it is lost, and the error says which
    /// one and why.
    pub(crate) fn reopen(&mut self, below: &Directory) -> Result<(), (Arc<Trail>, String)> {
        let Place::Closed(closed) = &self.place else { return Ok(()) };
        let trail = closed.about.trail.clone();
        let (place, result) = match closed.reopen(below) {
            Ok(Some(directory)) => (Place::Open(directory.into()), Ok(())),
            Ok(None) => (Place::Lost, Err((trail, "it was moved while it was looked at: run again".to_owned()))),
            Err(error) => (Place::Lost, Err((trail, format!("cannot get back into it: {}", words(error))))),
        };
        self.place = place;
        result
    }
}
