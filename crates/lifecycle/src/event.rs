//! The events that the main thread waits for.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Instant,
};

use crate::{exit::End, signal::Signal};

/// An event that the main thread waits for
pub(crate) enum Event {
    /// A stop signal, and when it arrived
    Stop(Signal, Instant),
    /// A stop without a signal, and the reason for it
    Quit(&'static str),
    /// `POST /drain`
    Drain,
    /// SIGHUP
    Reload,
    /// The thread that reads the flags and variables has finished, with or without an error
    SettingsRead,
    /// The job has returned without an error; its tasks may still run
    Returned,
    /// The job and its tasks have ended
    Ended(End),
}

/// The next event; `None` once the deadline has passed.
pub(crate) fn next(events: &Receiver<Event>, deadline: Option<Instant>) -> Option<Event> {
    let event = match deadline {
        None => events.recv().map_err(RecvTimeoutError::from),
        Some(at) => events.recv_timeout(at.saturating_duration_since(Instant::now())),
    };
    event.ok()
}
