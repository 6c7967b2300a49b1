//! The only listener for signals.
//!
//! Handlers stand before anything else happens: PID 1 has no default actions, so a signal that arrives earlier than its
//! handler would be lost (pid_namespaces(7)). A thread of its own forwards what arrives, so that a signal is heard
//! even while the job's thread is busy. PIPE needs no line here: Rust's start-up code ignores it.

use std::{io, sync::mpsc::Sender, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::Signals,
};

use crate::run::Event;

/// A signal that asks a helper to stop
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: the kubelet, `docker stop`, `kill`
    Term,
    /// SIGINT: Ctrl-C
    Int,
    /// SIGQUIT: nginx's images set it as their `STOPSIGNAL`
    Quit,
}

impl Signal {
    /// The signal's number on Linux
    pub fn number(self) -> u8 {
        match self {
            Self::Int => 2,
            Self::Quit => 3,
            Self::Term => 15,
        }
    }

    /// The signal's name, such as `SIGTERM`
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Term => "SIGTERM",
        }
    }
}

/// Puts the handlers up and forwards every signal as an event until the receiver is gone.
pub(crate) fn listen(events: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP])?;
    let forward = move || {
        for number in signals.forever() {
            let event = match number {
                SIGINT => Event::Stop(Signal::Int),
                SIGQUIT => Event::Stop(Signal::Quit),
                SIGHUP => Event::Reload,
                _ => Event::Stop(Signal::Term),
            };
            if events.send(event).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).stack_size(SIGNALS_STACK).spawn(forward)?;
    Ok(())
}

/// Bytes; the thread only forwards numbers.
const SIGNALS_STACK: usize = 64 * 1024;
