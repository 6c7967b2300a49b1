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
    time::Instant,
};

use nix::sys::signal::SigSet;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    flag,
    iterator::Signals,
};

use crate::{
    event::Event,
    exit::{End, Exit},
    signal::Signal,
};

/// The handlers, which run on the main thread alone
pub(crate) struct Handlers {
    set: SigSet,
    last: Arc<AtomicUsize>,
    end_at_once: Arc<AtomicBool>,
}

/// Puts the handlers up and forwards every signal as an event until the receiver is gone. The signals stay blocked, so
/// that every thread which starts from here on has them blocked for good, until the main thread lets them in.
pub(crate) fn listen(events: Sender<Event>) -> io::Result<Handlers> {
    let numbers = [SIGTERM, SIGINT, SIGQUIT, SIGHUP];
    let set = numbers.into_iter().map(nix::sys::signal::Signal::try_from).collect::<Result<_, _>>()?;
    let handlers = Handlers { set, last: Arc::default(), end_at_once: Arc::default() };
    // What comes while signal-hook puts a handler up is lost to it; what is blocked is only late.
    handlers.set.thread_block()?;
    let mut signals = Signals::new(numbers)?;
    for number in Signal::ALL.map(Signal::number) {
        flag::register_usize(number.into(), handlers.last.clone(), number.into())?;
        flag::register_conditional_shutdown(number.into(), (128 + number).into(), handlers.end_at_once.clone())?;
    }
    let forward = move || signals.forever().map(event).try_for_each(|event| events.send(event));
    thread::Builder::new().name("signals".into()).stack_size(SIGNALS_STACK).spawn(forward)?;
    Ok(handlers)
}

impl Handlers {
    /// Unblocks the signals on this thread, the main one; also for who was started with them blocked.
    pub(crate) fn let_signals_in(&self) -> io::Result<()> {
        Ok(self.set.thread_unblock()?)
    }

    /// Blocks them again, for threads that are to start from here on. What comes meanwhile is only late.
    pub(crate) fn hold_signals_back(&self) -> io::Result<()> {
        Ok(self.set.thread_block()?)
    }

    /// From here on a stop signal ends the process within its handler, with 128+n; an earlier one is the error.
    ///
    /// For the moment before an `execve`. No signal gets lost there: the handlers run on this thread, not on one that
    /// the kernel ends in the middle of a handler, and what comes during the system call is the command's.
    pub(crate) fn end_at_once(&self) -> Result<(), End> {
        self.end_at_once.store(true, SeqCst);
        self.let_signals_in().map_err(anyhow::Error::from)?;
        let last = self.last.load(SeqCst);
        let earlier = Signal::ALL.into_iter().find(|signal| usize::from(signal.number()) == last);
        earlier.map_or(Ok(()), |signal| Err(Exit::Stopped(signal).into()))
    }
}

fn event(number: i32) -> Event {
    match number {
        SIGINT => Event::Stop(Signal::Int, Instant::now()),
        SIGQUIT => Event::Stop(Signal::Quit, Instant::now()),
        SIGHUP => Event::Reload,
        _ => Event::Stop(Signal::Term, Instant::now()),
    }
}

/// Bytes; the thread only forwards numbers.
const SIGNALS_STACK: usize = 64 * 1024;
