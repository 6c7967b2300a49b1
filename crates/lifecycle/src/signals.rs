//! The only listener for signals.
//!
//! The handlers are installed before anything else happens: PID 1 has no default actions, so a
//! signal that arrives before its handler would be lost (`pid_namespaces(7)`). A thread of its own
//! forwards the signals, so that they are heard even while the job's thread is busy. PIPE needs no
//! handler, because Rust's start-up code ignores it.

use std::{
    fs::File,
    io::{self, Read},
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

/// Installs the handlers and forwards every signal as an event until the receiver is gone. The
/// signals stay blocked on this thread until it unblocks them, so that every thread that starts in
/// between has them blocked for good.
pub(crate) fn listen(events: Sender<Event>) -> io::Result<Handlers> {
    let set = [SIGTERM, SIGINT, SIGQUIT, SIGHUP]
        .into_iter()
        .map(nix::sys::signal::Signal::try_from)
        .collect::<Result<_, _>>()?;
    let handlers = Handlers { set, last: Arc::default(), end_at_once: Arc::default() };
    // signal-hook loses signals that arrive while it installs a handler. A blocked signal is only
    // late.
    handlers.set.thread_block()?;
    // With room for all of it, because a file without a length is else read in many small pieces.
    let mut status = String::with_capacity(4096);
    let _ = File::open("/proc/self/status").and_then(|mut file| file.read_to_string(&mut status));
    let ignored = ignored_at_start(&status);
    let is_heard = |number: &i32| !ignored.contains(number);
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP].iter().filter(|number| is_heard(number)))?;
    for number in Signal::ALL.map(Signal::number).into_iter().filter(|number| is_heard(&i32::from(*number))) {
        flag::register_usize(number.into(), handlers.last.clone(), number.into())?;
        flag::register_conditional_shutdown(number.into(), (128 + number).into(), handlers.end_at_once.clone())?;
    }
    let forward = move || signals.forever().map(event).try_for_each(|event| events.send(event));
    thread::Builder::new().name("signals".into()).stack_size(SIGNALS_STACK).spawn(forward)?;
    Ok(handlers)
}

impl Handlers {
    /// Unblocks the signals on this thread, the main one, also when the parent had blocked them.
    pub(crate) fn let_signals_in(&self) -> io::Result<()> {
        Ok(self.set.thread_unblock()?)
    }

    /// Blocks them again for the threads that start from here on. Signals that arrive in between
    /// are only late.
    pub(crate) fn hold_signals_back(&self) -> io::Result<()> {
        Ok(self.set.thread_block()?)
    }

    /// From here on the handler of a stop signal ends the process with 128+n. A stop signal that
    /// has arrived already is the error.
    ///
    /// For the moment before an `execve`. No signal gets lost there, because the handlers run on
    /// this thread, and not on one that the kernel ends in the middle of a handler. A signal that
    /// arrives during the system call goes to the command.
    pub(crate) fn end_at_once(&self) -> Result<(), End> {
        self.end_at_once.store(true, SeqCst);
        self.let_signals_in().map_err(anyhow::Error::from)?;
        let last = self.last.load(SeqCst);
        let earlier = Signal::ALL.into_iter().find(|signal| usize::from(signal.number()) == last);
        earlier.map_or(Ok(()), |signal| Err(Exit::Stopped(signal).into()))
    }
}

/// The signals that stay ignored, for the helper and for the command that it becomes, because the
/// parent ignored them: nohup does so with HUP, and a shell with INT and QUIT for a job in the
/// background. TERM is always heard, because it is the stop of the kubelet and of every supervisor,
/// and no parent ignores it by custom. The text is `/proc/self/status`; PIPE can't be told from it,
/// because Rust's start-up code has ignored it by now, so the command gets its default action.
fn ignored_at_start(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    [SIGHUP, SIGINT, SIGQUIT].into_iter().filter(|number| mask & (1 << (number - 1)) != 0).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hup_int_and_quit_stay_ignored_and_term_does_not() {
        assert_eq!(ignored_at_start("SigBlk:\t0\nSigIgn:\t0000000000005007\nSigCgt:\t0\n"), [SIGHUP, SIGINT, SIGQUIT]);
        assert_eq!(ignored_at_start("SigIgn:\t0000000000001001\n"), [SIGHUP]);
        assert!(ignored_at_start("").is_empty());
    }
}
