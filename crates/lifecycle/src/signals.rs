//! The only listener for signals.
//!
//! Handlers stand before anything else happens: PID 1 has no default actions, so a signal that arrives earlier than its
//! handler would be lost (`pid_namespaces(7)`). A thread of its own forwards what arrives, so that a signal is heard
//! even while the job's thread is busy. PIPE needs no line here: Rust's start-up code ignores it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc::Sender,
    },
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    flag,
    iterator::Signals,
};

use crate::{
    exit::{End, Exit},
    run::Event,
};

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
    const ALL: [Self; 3] = [Self::Term, Self::Int, Self::Quit];

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

/// What the handlers themselves know, with no thread in between
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    last: Arc<AtomicUsize>,
    end_at_once: Arc<AtomicBool>,
}

impl Handlers {
    /// From here on a stop signal ends the process within its handler, with 128+n; an earlier one is the error.
    /// Between the two there is no gap for a signal to get lost in, as one would right before an `execve`.
    pub(crate) fn end_at_once(&self) -> Result<(), End> {
        self.end_at_once.store(true, SeqCst);
        let last = self.last.load(SeqCst);
        let earlier = Signal::ALL.into_iter().find(|signal| usize::from(signal.number()) == last);
        earlier.map_or(Ok(()), |signal| Err(Exit::Stopped(signal).into()))
    }
}

/// Puts the handlers up and forwards every signal as an event until the receiver is gone.
pub(crate) fn listen(events: Sender<Event>) -> io::Result<Handlers> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP])?;
    let handlers = Handlers::default();
    for number in Signal::ALL.map(Signal::number) {
        // In this order, so that `end_at_once` either finds the signal or is found by it.
        flag::register_usize(number.into(), handlers.last.clone(), number.into())?;
        flag::register_conditional_shutdown(number.into(), (128 + number).into(), handlers.end_at_once.clone())?;
    }
    for event in signals.pending().map(event) {
        // It came before its flag stood. This is still the only thread, so nothing else can have slipped through.
        if let Event::Stop(signal) = event {
            handlers.last.store(signal.number().into(), SeqCst);
        }
        let _ = events.send(event);
    }
    let forward = move || signals.forever().map(event).try_for_each(|event| events.send(event));
    thread::Builder::new().name("signals".into()).stack_size(SIGNALS_STACK).spawn(forward)?;
    Ok(handlers)
}

fn event(number: i32) -> Event {
    match number {
        SIGINT => Event::Stop(Signal::Int),
        SIGQUIT => Event::Stop(Signal::Quit),
        SIGHUP => Event::Reload,
        _ => Event::Stop(Signal::Term),
    }
}

/// Bytes; the thread only forwards numbers.
const SIGNALS_STACK: usize = 64 * 1024;
