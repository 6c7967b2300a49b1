//! A directory on a thread's way, with its names that are still to be looked at.

use std::{mem, sync::Arc};

use super::names::Names;
use crate::directory::{Closed, Directory};

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
    /// There is no way back into it: it was moved since
    Lost,
}

impl Frame {
    pub(crate) fn new(directory: Arc<Directory>, more: bool) -> Self {
        Self { place: Place::Open(directory), directories: Names::default(), others: Names::default(), more, size: 0 }
    }

    /// Gives the directory's descriptor back, unless another thread is in it; whether it did.
    pub(crate) fn close(&mut self) -> bool {
        self.place = match mem::replace(&mut self.place, Place::Lost) {
            Place::Open(directory) => match Arc::try_unwrap(directory) {
                Ok(directory) => directory.close().map_or(Place::Lost, Place::Closed),
                Err(shared) => Place::Open(shared),
            },
            other => other,
        };
        !matches!(self.place, Place::Open(_))
    }

    /// The directory, while it is open
    pub(crate) fn open(&self) -> Option<&Arc<Directory>> {
        match &self.place {
            Place::Open(directory) => Some(directory),
            Place::Closed(_) | Place::Lost => None,
        }
    }
}
