//! `main()`: the one way to start and to stop.
//!
//! The main thread only waits for events: a signal, the job's end, a deadline. The job has a thread and a runtime of its
//! own, so the second signal and the drain deadline hold even against a job that never yields.

use std::{
    env,
    fmt::Debug,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    time::{Duration, Instant},
};

use anyhow::Context;
use prometheus::Registry;
use tokio::sync::watch;
use tracing::level_filters::LevelFilter;

use crate::{
    args::{self, Common, Request},
    command,
    event::Event,
    exit::{End, Exit},
    health::Health,
    helper::{Helper, Kind},
    job::{Control, Lifecycle, Phase},
    log, panics, settings,
    sidecar::{Sidecar, SidecarFlags},
    signals::{self, Signal},
    units,
};

/// A task ends within 100 ms of its stop signal; this much is the job's own, to say what was missing.
const TASK_GRACE: Duration = Duration::from_millis(80);

/// Runs a helper from its first instruction to its exit code: signal handlers, command line, listeners, job.
pub fn main<A, F>(helper: Helper, job: F) -> ExitCode
where
    A: clap::Parser + Debug + Send + 'static,
    F: AsyncFnOnce(A, Lifecycle) -> anyhow::Result<End> + Send + 'static,
{
    let born = Instant::now();
    panics::listen(born);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| live(helper, job)));
    match outcome.unwrap_or_else(|panic| Err(panics::panicked("main", &*panic))) {
        Ok(exit) => exit.into(),
        // A sidecar that was stopped before it began: a good end leaves no words.
        Err(end) if end.exit == Exit::Done => end.exit.into(),
        Err(end) => {
            log::last_words(&end, born.elapsed());
            end.exit.into()
        }
    }
}

/// An end about which nothing is left to say is `Ok`.
fn live<A, F>(helper: Helper, job: F) -> Result<Exit, End>
where
    A: clap::Parser + Debug + Send + 'static,
    F: AsyncFnOnce(A, Lifecycle) -> anyhow::Result<End> + Send + 'static,
{
    let (sender, events) = mpsc::channel();
    let handlers = signals::listen(sender.clone()).context("cannot listen for signals")?;
    match settings::read::<A>(helper, &handlers, &sender, &events)? {
        Err(error) => refused(helper.command::<A>(), error),
        Ok(Request::Config(asked)) => {
            handlers.end_at_once()?;
            log_before_settings();
            helper.config.map_or(Err(Exit::Bug.into()), |file| printed(asked.run(&file)))
        }
        // The kubelet runs these inside a container that lives: its termination message is not theirs.
        Ok(Request::Sidecar(sidecar, asked, flags)) => {
            handlers.end_at_once()?;
            Ok((sidecar.ask)(asked, &flags))
        }
        Ok(Request::Job { args, common, sidecar }) => {
            let supervisor = Supervisor::start(helper, args, &common, sidecar, job, sender, events)?;
            handlers.let_signals_in().context("cannot listen for signals")?;
            let end = supervisor.wait();
            if !end.become_command.is_empty() {
                // Who was told to stop must not start the app.
                handlers.end_at_once()?;
                return Err(command::become_command(&end.become_command, end.become_user));
            }
            if end.exit == Exit::Done { Ok(end.exit) } else { Err(end) }
        }
    }
}

/// Waits for events on behalf of a running job
struct Supervisor {
    kind: Kind,
    events: Receiver<Event>,
    control: Control,
    phase: watch::Sender<Phase>,
    reloads: watch::Sender<u64>,
    shutdown_timeout: Duration,
}

impl Supervisor {
    /// Starts log, listeners and job; a listener that can't be bound is an error before any work.
    fn start<A, F>(
        helper: Helper,
        args: A,
        common: &Common,
        sidecar: Option<(Sidecar, SidecarFlags)>,
        job: F,
        sender: Sender<Event>,
        events: Receiver<Event>,
    ) -> anyhow::Result<Self>
    where
        A: clap::Parser + Debug + Send + 'static,
        F: AsyncFnOnce(A, Lifecycle) -> anyhow::Result<End> + Send + 'static,
    {
        let command = A::command();
        let on_terminal =
            log::start(common.log_format, common.log_level, &[command.get_name(), env!("CARGO_PKG_NAME")]);
        match &sidecar {
            None => announce(&command, &args, common),
            Some((sidecar, flags)) => (sidecar.announce)(&command, &args, common, flags),
        }

        let health = Health::new(Instant::now()).into();
        let control = Control { health, registry: Registry::new(), events: sender, on_terminal };
        let (phase, phases) = watch::channel(Phase::Running);
        let (reloads, reloaded) = watch::channel(0);
        let delays = sidecar
            .as_ref()
            .map_or((Duration::ZERO, TASK_GRACE), |(_, flags)| (flags.drain_delay, flags.shutdown_timeout));
        if let Some((sidecar, flags)) = sidecar {
            (sidecar.open_doors)(flags, &control, &command)?;
        }
        let (_, shutdown_timeout) = delays;
        Lifecycle::start(control.clone(), phases, reloaded, delays, args, job)?;
        Ok(Self { kind: helper.kind, events, control, phase, reloads, shutdown_timeout })
    }

    /// Waits for the job's end. The first stop asks; a second signal, or the deadline, insists.
    fn wait(self) -> End {
        let mut asked: Option<Signal> = None;
        let mut deadline: Option<Instant> = None;
        loop {
            let event = match deadline {
                None => self.events.recv().map_err(RecvTimeoutError::from),
                Some(at) => self.events.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match event {
                Ok(Event::Stop(signal)) if asked.is_some() => return Exit::Stopped(signal).into(),
                Ok(Event::Stop(signal)) => {
                    asked = Some(signal);
                    deadline.get_or_insert_with(|| self.stop(signal.name(), signal));
                }
                Ok(Event::Quit(why)) => drop(deadline.get_or_insert_with(|| self.stop(why, Signal::Term))),
                Ok(Event::Drain) => self.drain(),
                Ok(Event::Reload) => self.reloads.send_modify(|count| *count += 1),
                Ok(Event::SettingsRead) => (),
                Ok(Event::Ended(end)) => return self.ended(end),
                Err(_) => return self.deadline_passed(asked.unwrap_or(Signal::Term)),
            }
        }
    }

    fn drain(&self) {
        self.control.health.become_unready();
        self.phase.send_if_modified(|phase| {
            let first = *phase == Phase::Running;
            if first {
                tracing::info!("draining: unready from now on, serving until the stop signal");
                *phase = Phase::Draining;
            }
            first
        });
    }

    /// Tells the job to stop, and says the plan; returns the deadline.
    fn stop(&self, why: &str, signal: Signal) -> Instant {
        let exit = match self.kind {
            Kind::Task => Exit::Stopped(signal),
            // 143 from a sidecar that drained would make its Job fail.
            Kind::Sidecar(_) => Exit::Done,
        };
        if let Kind::Sidecar(_) = self.kind {
            let pending = self.control.health.what_is_pending().unwrap_or_else(|| "nothing".into());
            let deadline = units::format_duration(self.shutdown_timeout);
            tracing::info!(why, deadline, pending, "stopping");
        }
        self.control.health.become_unready();
        let since = Instant::now();
        self.phase.send_replace(Phase::Stopping { exit, since });
        since + self.shutdown_timeout
    }

    fn ended(&self, end: End) -> End {
        if let (Kind::Sidecar(_), Exit::Done) = (self.kind, end.exit) {
            tracing::info!("stopped; nothing is left to do");
        }
        end
    }

    fn deadline_passed(&self, signal: Signal) -> End {
        match self.kind {
            Kind::Task => Exit::Stopped(signal).into(),
            Kind::Sidecar(_) => End {
                what: self.control.health.what_is_pending(),
                last: Some(format!(
                    "not done within --shutdown-timeout {}",
                    units::format_duration(self.shutdown_timeout)
                )),
                ..Exit::Unfinished.into()
            },
        }
    }
}

/// The first line of the log: version and effective settings; a sidecar's tells more.
fn announce(command: &clap::Command, args: &impl Debug, common: &Common) {
    let (name, version) = (command.get_name(), command.get_version());
    let log_format = common.log_format.name();
    tracing::info!(version, settings = ?args, log_format, log_level = %common.log_level, "{name} starts");
}

/// Help and version are answers. A fault is said once, in the last line; people also see how the helper is used.
fn refused(mut command: clap::Command, error: anyhow::Error) -> Result<Exit, End> {
    if let Some(answer) = error.downcast_ref::<clap::Error>().filter(|answer| answer.exit_code() == 0) {
        let _ = answer.print();
        return Ok(Exit::Done);
    }
    let people_read = log_before_settings();
    let end = End::from(error);
    if people_read && end.exit == Exit::Usage {
        log::say(&format!("{}\n\nFor more information, try '--help'.\n", command.render_usage()));
    }
    Err(end)
}

/// The log of a helper whose settings are not known, or which only answers a question; returns whether people read along.
fn log_before_settings() -> bool {
    log::start(args::log_format(env::args_os()), LevelFilter::INFO, &[env!("CARGO_PKG_NAME")])
}

fn printed(answer: anyhow::Result<String>) -> Result<Exit, End> {
    let text = answer?;
    // Who does not read on, as `head` does, has read enough.
    let _ = writeln!(io::stdout(), "{text}");
    Ok(Exit::Done)
}
