//! `signal`: a signal to a process of the app, in a PID namespace that the containers of the pod share.

use std::{io, path::PathBuf, time::Duration};

use lifecycle::Process;
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal, test_kill_process},
};

use super::{
    process::{Reaction, Status, Wanted},
    signal_name::{DefaultAction, SignalName},
};

/// How often a process is looked for that ends just before it is signalled
const ATTEMPTS: u32 = 3;
/// `/proc` answers at once, but for a process that hangs in the kernel.
const LIMIT: Duration = Duration::from_secs(10);

/// A signal, and the process that it is for
#[derive(Clone, Debug)]
pub(crate) struct SignalTell {
    pub(super) signal: SignalName,
    pub(super) wanted: Wanted,
    pub(super) proc: PathBuf,
}

impl SignalTell {
    /// Sends the signal to the oldest process that matches.
    pub(super) async fn tell(&self) -> Result<(), String> {
        let (this, proc) = (self.clone(), self.proc.clone());
        let sent = lifecycle::on_volume_in_turn(&proc, LIMIT, move || this.send()).await;
        sent.unwrap_or_else(|error| Err(cannot_look(&error)))
    }

    /// The processes that match, the one that would be signalled first; or why there is none.
    pub(super) fn explain(&self) -> Vec<String> {
        let found = match self.wanted.find(&self.proc) {
            Ok(found) => found,
            Err(error) => return vec![cannot_look(&error)],
        };
        if found.is_empty() {
            return vec![self.wanted.none_found(&self.proc)];
        }
        let lines = found.iter().enumerate().filter_map(|(index, process)| {
            let status = Status::read(&self.proc, process, self.signal.number())?;
            let verdict =
                if index > 0 { "not signalled: it is not the oldest".into() } else { self.verdict(process, status) };
            Some(format!("process {} ({}) of user {}: {verdict}", process.id, process.name(), status.user))
        });
        lines.collect()
    }

    fn send(&self) -> Result<(), String> {
        for _ in 0..ATTEMPTS {
            let found = self.wanted.find(&self.proc).map_err(|error| cannot_look(&error))?;
            let oldest = found.into_iter().next().ok_or_else(|| self.wanted.none_found(&self.proc))?;
            if self.send_to(&oldest)? {
                return Ok(());
            }
        }
        Err(format!("each process {} ended before it was signalled", self.wanted))
    }

    /// Returns false when the process has ended.
    fn send_to(&self, process: &Process) -> Result<bool, String> {
        let pid = i32::try_from(process.id).ok().and_then(Pid::from_raw).ok_or("a process number that cannot be")?;
        let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(Errno::SRCH) => return Ok(false),
            Err(error) => return Err(format!("cannot open process {}: {}", process.id, io::Error::from(error))),
        };
        // The descriptor holds on to the process that has the number now. It is the one that was found if the number belongs to it
        // still, because a number is free for others only after the end of its process.
        let again = Process::look(&self.proc, process.id).map_err(|error| cannot_look(&error))?;
        if again.as_ref() != Some(process) || !self.wanted.matches(&self.proc, process) {
            return Ok(false);
        }
        let Some(status) = Status::read(&self.proc, process, self.signal.number()) else { return Ok(false) };
        if let Some(obstacle) = self.obstacle(process, status) {
            return Err(format!("process {} ({}) {obstacle}", process.id, process.name()));
        }
        match pidfd_send_signal(&descriptor, self.signal.number()) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(Errno::PERM) => Err(format!("process {} ({}) {}", process.id, process.name(), forbidden(status.user))),
            Err(error) => Err(format!("cannot signal process {}: {}", process.id, io::Error::from(error))),
        }
    }

    fn verdict(&self, process: &Process, status: Status) -> String {
        let pid = i32::try_from(process.id).ok().and_then(Pid::from_raw);
        if pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::PERM)) {
            return forbidden(status.user);
        }
        self.obstacle(process, status).unwrap_or_else(|| format!("gets {}", self.signal.text()))
    }

    /// Why the process would not learn of a new value by the signal, or would not survive it
    fn obstacle(&self, process: &Process, status: Status) -> Option<String> {
        let signal = self.signal.text();
        let fault = match (status.reaction, self.signal.default_action()) {
            (Reaction::Handles | Reaction::Blocks, _) | (_, DefaultAction::Continues) => return None,
            (Reaction::Ignores, _) => format!("ignores {signal}"),
            (Reaction::Default, DefaultAction::EndsUnasked) => {
                format!("has no handler for {signal}, and {signal} would end it")
            }
            // The kernel keeps signals without a handler from PID 1: pid_namespaces(7).
            (Reaction::Default, DefaultAction::Ends) if process.id != 1 => return None,
            (Reaction::Default, _) => format!("has no handler for {signal}"),
        };
        Some(format!("{fault}: it may not have started fully, or is the wrong process"))
    }
}

fn forbidden(user: u32) -> String {
    format!(
        "may not be signalled, because it belongs to user {user}: run this container with `runAsUser: {user}`, or as root with the \
         capability KILL"
    )
}

fn cannot_look(error: &io::Error) -> String {
    format!("cannot look for processes: {error}")
}

#[cfg(test)]
mod tests;
