//! Signals, and sending them to the processes of a test.

use std::fs;

use rustix::process::{Pid, Signal as Number, kill_process};

use crate::until;

/// A signal that a test sends, as a constant or from its name (`"TERM"`)
#[derive(Clone, Copy, Debug)]
pub struct Signal(Number);

impl Signal {
    /// SIGHUP
    pub const HUP: Self = Self(Number::HUP);
    /// SIGINT
    pub const INT: Self = Self(Number::INT);
    /// SIGQUIT
    pub const QUIT: Self = Self(Number::QUIT);
    /// SIGKILL
    pub const KILL: Self = Self(Number::KILL);
    /// SIGPIPE
    pub const PIPE: Self = Self(Number::PIPE);
    /// SIGUSR2
    pub const USR2: Self = Self(Number::USR2);
    /// SIGTERM
    pub const TERM: Self = Self(Number::TERM);
    /// SIGCONT
    pub const CONT: Self = Self(Number::CONT);
    /// SIGSTOP
    pub const STOP: Self = Self(Number::STOP);
}

/// Every name that [`Signal`] knows
const NAMES: [(&str, Signal); 9] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("KILL", Signal::KILL),
    ("PIPE", Signal::PIPE),
    ("USR2", Signal::USR2),
    ("TERM", Signal::TERM),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
];

impl From<&str> for Signal {
    #[track_caller]
    fn from(name: &str) -> Self {
        let known = NAMES.iter().find(|(known, _)| *known == name);
        known.unwrap_or_else(|| panic!("harness knows no signal {name:?}; add it to signal.rs")).1
    }
}

/// Sends a signal to a process, which must exist.
#[track_caller]
pub fn send(id: u32, signal: impl Into<Signal>) {
    let signal = signal.into();
    assert!(try_send(id, signal), "cannot send {signal:?} to process {id}");
}

/// Sends a signal to a process; false when the process has already ended.
#[track_caller]
pub fn try_send(id: u32, signal: impl Into<Signal>) -> bool {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process ID");
    kill_process(pid, signal.into().0).is_ok()
}

/// Waits until a process has a handler for a signal. Before that, the signal would end the process or get lost.
#[track_caller]
pub fn wait_until_caught(id: u32, signal: impl Into<Signal>) {
    let signal = signal.into();
    // Bit 0 of the mask is signal 1: `proc_pid_status(5)`.
    let bit = 1_u64 << (signal.0.as_raw() - 1);
    until(&format!("process {id} has a handler for {signal:?}"), || {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        (u64::from_str_radix(caught.trim(), 16).ok()? & bit != 0).then_some(())
    });
}
