//! Reads the settings on a thread of its own, so that a stop signal ends a helper whose settings never come.
//!
//! The parsers of a helper's flags may open files, and a file can keep them waiting for ever.

use std::{
    convert,
    panic::{self, AssertUnwindSafe},
    sync::mpsc::{Receiver, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Parser;

use crate::{
    event::{self, Event},
    exit::{End, Exit},
    helper::{Helper, Kind, Request},
    signal::Signal,
    signals::Handlers,
    stop::{Step, Stop},
};

/// After a stop signal: enough for settings that do come, and within the 100 ms that a task has for its end.
const GRACE: Duration = Duration::from_millis(60);

/// The request of the command line and the variables; a fault in them is the inner error, a stop the outer one.
///
/// Lets signals in during the read and holds them back again on return. A stop that came just before the settings stays in
/// the channel for the supervisor of the job.
pub(crate) fn read<A: Parser + Send + 'static>(
    helper: Helper,
    handlers: &Handlers,
    sender: &Sender<Event>,
    events: &Receiver<Event>,
) -> Result<anyhow::Result<Request<A>>, End> {
    let done = sender.clone();
    let parse = move || {
        let request = panic::catch_unwind(AssertUnwindSafe(|| helper.parse::<A>()));
        // The receiver is gone only when the helper is ending anyhow.
        let _ = done.send(Event::SettingsRead);
        request
    };
    let reader = thread::Builder::new().name("settings".into()).spawn(parse).context("cannot start a thread")?;
    handlers.let_signals_in().context("cannot listen for signals")?;
    let stop = wait(|| helper.kind_as_written::<A>(), events)?;
    handlers.hold_signals_back().context("cannot listen for signals")?;
    if let Some((signal, at)) = stop {
        let _ = sender.send(Event::Stop(signal, at));
    }
    Ok(joined(reader))
}

/// Waits until the settings are read. The first stop signal sets a deadline; returns it for the job to act on.
fn wait(kind: impl FnOnce() -> Kind, events: &Receiver<Event>) -> Result<Option<(Signal, Instant)>, End> {
    let mut stop = Stop::new(GRACE);
    loop {
        match event::next(events, stop.deadline()) {
            Some(Event::SettingsRead) => return Ok(stop.first_signal()),
            Some(Event::Stop(signal, at)) => {
                if stop.signal(signal, at) == Step::EndAtOnce {
                    return Err(Exit::Stopped(signal).into());
                }
            }
            // There is nothing yet that could be reloaded or drained.
            Some(_) => {}
            None => return Err(unread(kind(), stop.first_signal().map_or(Signal::Term, |(signal, _)| signal))),
        }
    }
}

/// A sidecar that has not begun has nothing left to deliver.
fn unread(kind: Kind, signal: Signal) -> End {
    let exit = match kind {
        Kind::Task => Exit::Stopped(signal),
        Kind::Sidecar(_) => Exit::Done,
    };
    End { last: Some("stopped while the settings were read".into()), ..exit.into() }
}

/// A panic goes on in the main thread.
fn joined<T>(reader: JoinHandle<thread::Result<T>>) -> T {
    reader.join().and_then(convert::identity).unwrap_or_else(|panic| panic::resume_unwind(panic))
}
