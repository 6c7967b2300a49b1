//! `main()`: the one way to start and to stop.
//!
//! The main thread only waits for events: a signal, the job's end, a deadline. The job has a thread
//! and a runtime of its own, so the second signal and the drain deadline hold even against a job
//! that never yields.

use std::{
    env,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::mpsc::{self, Receiver, Sender},
    time::{Duration, Instant},
};

use anyhow::Context;
use tracing::level_filters::LevelFilter;

use crate::{
    args, command,
    event::{self, Event},
    exit::{End, Exit},
    helper::{Helper, Kind, Request},
    job::{Control, Lifecycle},
    log, panics, settings,
    sidecar::Sidecar,
    sidecar_flags::SidecarFlags,
    signal::Signal,
    signals, stderr,
    stop::{Step, Stop},
    units,
};

/// A task ends within 100 ms of its stop signal. The job gets this much to say what was missing;
/// the rest is for the log.
const TASK_GRACE: Duration = Duration::from_millis(60);

/// Runs a helper from its first instruction to its exit code: signal handlers, command line,
/// listeners, job.
pub fn main<A, F>(helper: Helper, job: F) -> ExitCode
where
    A: clap::Parser + Send + 'static,
    F: AsyncFnOnce(A, Lifecycle) -> anyhow::Result<End> + Send + 'static,
{
    let born = Instant::now();
    panics::listen(born, move || helper.speaks_for_container::<A>());
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| live(helper, job)));
    let exit = match outcome.unwrap_or_else(|panic| Err(panics::panicked("main", &*panic))) {
        Ok(exit) => exit,
        // A sidecar that was stopped before it began: a good end needs no last line.
        Err(end) if end.exit == Exit::Done => end.exit,
        Err(end) => {
            log::write_last_line(&end, born.elapsed(), helper.speaks_for_container::<A>());
            end.exit
        }
    };
    stderr::flush();
    exit.into()
}

/// Returns `Ok` for an end that needs no last line.
fn live<A, F>(helper: Helper, job: F) -> Result<Exit, End>
where
    A: clap::Parser + Send + 'static,
    F: AsyncFnOnce(A, Lifecycle) -> anyhow::Result<End> + Send + 'static,
{
    let (sender, events) = mpsc::channel();
    let handlers = signals::listen(sender.clone()).context("cannot listen for signals")?;
    if let Some(harden) = helper.harden {
        harden()?;
    }
    stderr::start().context("cannot start the log's thread")?;
    match settings::read::<A>(helper, &handlers, &sender, &events)? {
        Err(error) => {
            // The answer to --help may go to a reader that has stalled.
            handlers.end_at_once()?;
            refused(helper, helper.command::<A>(), error)
        }
        Ok(Request::Config(asked, matches)) => {
            handlers.end_at_once()?;
            log_before_settings();
            helper.config.map_or(Err(Exit::Bug.into()), |config| printed(asked.run(&config, &matches)))
        }
        Ok(Request::Own(own, matches)) => {
            handlers.end_at_once()?;
            log_before_settings();
            printed((own.answer)(&matches))
        }
        Ok(Request::Completions(script)) => {
            handlers.end_at_once()?;
            log_before_settings();
            printed(Ok((script.to_owned(), Exit::Done.into())))
        }
        Ok(Request::Sidecar(sidecar, asked, flags)) => {
            handlers.end_at_once()?;
            Ok((sidecar.ask)(asked, &flags))
        }
        Ok(Request::Job { args, common, start_line, sidecar }) => {
            let command = A::command();
            // `endpoint` follows files for helpers, and logs their changes.
            let own_crates = [command.get_name(), env!("CARGO_PKG_NAME"), "endpoint"];
            let on_terminal = log::start(common.log_format, common.color, common.log_level, &own_crates);
            start_line.write(&common);
            let supervisor = Supervisor::start(args, on_terminal, sidecar, job, sender, events)?;
            handlers.let_signals_in().context("cannot listen for signals")?;
            let end = supervisor.wait();
            if !end.become_command.is_empty() {
                // A helper that was told to stop must not start the app.
                handlers.end_at_once()?;
                stderr::flush();
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
    shutdown_timeout: Duration,
}

impl Supervisor {
    /// Starts listeners and job; a listener that can't be bound is an error before any work.
    fn start<A, F>(
        args: A,
        on_terminal: bool,
        sidecar: Option<(Sidecar, SidecarFlags)>,
        job: F,
        sender: Sender<Event>,
        events: Receiver<Event>,
    ) -> anyhow::Result<Self>
    where
        A: clap::Parser + Send + 'static,
        F: AsyncFnOnce(A, Lifecycle) -> anyhow::Result<End> + Send + 'static,
    {
        let command = A::command();
        let control = Control::new(sender, on_terminal);
        let kind = sidecar.as_ref().map_or(Kind::Task, |(sidecar, _)| Kind::Sidecar(*sidecar));
        let (drain_delay, shutdown_timeout) = sidecar
            .as_ref()
            .map_or((Duration::ZERO, TASK_GRACE), |(_, flags)| (flags.drain_delay, flags.shutdown_timeout));
        if let Some((sidecar, flags)) = sidecar {
            (sidecar.start_listeners)(flags, &control, &command)?;
        }
        Lifecycle::start(control.clone(), drain_delay, shutdown_timeout, args, job)?;
        Ok(Self { kind, events, control, shutdown_timeout })
    }

    /// Waits for the job's end. The first stop asks; a second signal, or the deadline, insists.
    fn wait(self) -> End {
        let mut stop = Stop::new(self.shutdown_timeout);
        loop {
            let request = match event::next(&self.events, stop.deadline()) {
                Some(Event::Stop(signal, at)) => (stop.signal(signal, at), signal.name(), signal, at),
                Some(Event::Quit(why)) => {
                    let now = Instant::now();
                    (stop.request(now), why, Signal::Term, now)
                }
                Some(Event::Returned) => {
                    self.returned(&mut stop);
                    continue;
                }
                Some(Event::Drain) => {
                    if self.control.drain(Instant::now()) {
                        tracing::info!("draining: unready from now on, serving until the stop signal");
                    }
                    continue;
                }
                Some(Event::Reload) => {
                    self.control.reloads.send_modify(|count| *count += 1);
                    continue;
                }
                Some(Event::SettingsRead) => continue,
                Some(Event::Ended(end)) => return self.ended(end),
                None => return self.deadline_passed(stop.first_signal().map_or(Signal::Term, |(signal, _)| signal)),
            };
            match request {
                (Step::Begin, why, signal, at) => self.stop(why, signal, at),
                (Step::Ignore, ..) => {}
                (Step::EndAtOnce, _, signal, _) => return self.second_signal(signal),
            }
        }
    }

    /// Tells the job to stop, and then logs the plan.
    fn stop(&self, why: &str, signal: Signal, since: Instant) {
        let exit = match self.kind {
            Kind::Task => Exit::Stopped(signal),
            // 143 from a sidecar that drained would make its Job fail.
            Kind::Sidecar(_) => Exit::Done,
        };
        self.control.stop(exit, since);
        if let Kind::Sidecar(_) = self.kind {
            let pending = self.control.health.pending_work().unwrap_or_else(|| "nothing".into());
            let deadline = units::format_duration(self.shutdown_timeout);
            tracing::info!(why, deadline, pending, "stopping");
        }
    }

    /// The job has returned, and its tasks were asked to stop. Those of a sidecar get the time of
    /// any other stop; those of a task are part of its work and get all the time they need.
    fn returned(&self, stop: &mut Stop) {
        if let Kind::Sidecar(_) = self.kind
            && stop.request(Instant::now()) == Step::Begin
        {
            tracing::info!(why = "the job is done", "stopping");
        }
    }

    fn ended(&self, end: End) -> End {
        if let (Kind::Sidecar(_), Exit::Done) = (self.kind, end.exit) {
            tracing::info!("stopped; nothing is left to do");
        }
        end
    }

    /// Names what a sidecar leaves undelivered.
    fn second_signal(&self, signal: Signal) -> End {
        let what = self.control.health.pending_work();
        let last = what.as_ref().map(|_| "a second stop signal came before this was delivered".to_owned());
        End { what, last, ..Exit::Stopped(signal).into() }
    }

    fn deadline_passed(&self, signal: Signal) -> End {
        match self.kind {
            Kind::Task => Exit::Stopped(signal).into(),
            Kind::Sidecar(_) => End {
                what: self.control.health.pending_work(),
                last: Some(format!(
                    "not done within --shutdown-timeout {}",
                    units::format_duration(self.shutdown_timeout)
                )),
                ..Exit::Unfinished.into()
            },
        }
    }
}

/// Help and version are answers on stdout. A fault is said once, in the last line; people also see
/// how the helper is used.
fn refused(helper: Helper, mut command: clap::Command, error: anyhow::Error) -> Result<Exit, End> {
    if let Some(answer) = error.downcast_ref::<clap::Error>().filter(|answer| answer.exit_code() == 0) {
        let answer = answer.to_string();
        let summary = helper.summary.filter(|_| answer == command.render_help().to_string());
        return printed(Ok((summary.map_or(answer, |summary| summary()), Exit::Done.into())));
    }
    let people_read = log_before_settings();
    let end = End::from(error);
    if people_read && end.exit == Exit::Usage {
        log::say(&format!("{}\n\nFor more information, try '--help'.\n", command.render_usage()));
    }
    Err(end)
}

/// The log of a helper whose settings are not known, or which only answers a question; returns
/// whether people read along.
fn log_before_settings() -> bool {
    let (format, color) = args::log_format(env::args_os);
    log::start(format, color, LevelFilter::INFO, &[env!("CARGO_PKG_NAME")])
}

/// Prints an answer to stdout, and gives its end.
fn printed(answer: anyhow::Result<(String, End)>) -> Result<Exit, End> {
    let (text, end) = answer?;
    // An empty answer is no line, so that `wc -l` counts none.
    let line = match text.trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    };
    match io::stdout().write_all(line.as_bytes()).and_then(|()| io::stdout().flush()) {
        // A reader that stops early, as `head` does, has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(End { last: Some(format!("cannot write to stdout: {error}")), ..Exit::Io.into() })
        }
        _ if end.exit == Exit::Done => Ok(Exit::Done),
        _ => Err(end),
    }
}
