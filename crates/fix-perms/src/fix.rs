//! `run()`: sets one tree after another right, until all are, or something ends the work.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Instant,
};

use anyhow::Context;
use lifecycle::{End, Exit, Lifecycle, User};
use tokio::sync::oneshot;

use crate::{
    args::Args,
    capabilities::Capabilities,
    config::Config,
    fixer::Treatment,
    ledger::{Counts, Ledger},
    progress::Progress,
    report::{Report, Summary, VolumeSummary},
    root,
    trail::printed,
    tree::{self, Run},
    volume::Volume,
};

/// Works as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let started = Instant::now();
    let work = Arc::new(Work::new(&args, volumes(&args, &life).await?));
    let mut progress = Progress::new(life.on_terminal());
    let (sender, mut done) = oneshot::channel::<()>();
    let worker = work.clone();
    let walk = move || {
        // Dropped at the end, come what may.
        let _sender = sender;
        worker.fix()
    };
    let walk = thread::Builder::new().name("walk".into()).spawn(walk).context("cannot start a thread")?;
    let stop = tokio::select! {
        biased;
        exit = life.stop_requested() => Some(exit),
        _ = &mut done => None,
        () = progress.keep_telling(&work.ledgers) => None,
    };
    if stop.is_some() {
        work.run.stopped.store(true, SeqCst);
        // Its counts are worth a moment; who is stuck in a system call is not waited for any longer than lifecycle does.
        let _ = done.await;
    }
    drop(progress);
    let fixed = walk.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
    finish(args, &work, started, stop, fixed)
}

/// All trees of a run
struct Work {
    volumes: Vec<Volume>,
    /// One for each of them
    ledgers: Vec<Ledger>,
    run: Run,
}

impl Work {
    fn new(args: &Args, volumes: Vec<Volume>) -> Self {
        let run = Run {
            treatment: args.treatment(),
            sample: args.sample,
            threads: args.threads,
            capabilities: Capabilities::of_this_process(),
            report: Report::new(args.output),
            stopped: AtomicBool::new(false),
        };
        Self { ledgers: volumes.iter().map(|_| Ledger::default()).collect(), volumes, run }
    }

    /// No tree is touched while another PATH is a mistake.
    fn fix(&self) -> anyhow::Result<()> {
        for volume in &self.volumes {
            root::check(volume, self.run.capabilities)?;
        }
        let trees = self.volumes.iter().zip(&self.ledgers);
        trees
            .take_while(|_| !self.run.stopped.load(SeqCst))
            .try_for_each(|(volume, ledger)| tree::fix(volume, &self.run, ledger))
    }

    fn counts(&self) -> Counts {
        Counts::sum(self.ledgers.iter().map(Ledger::counts))
    }

    /// The exit, the path and the words of what went wrong first
    fn failure(&self) -> Option<(Exit, String, String)> {
        let verifies = self.run.treatment == Treatment::Verify;
        let exit = |ledger: &Ledger| match ledger.exit() {
            Exit::Done if verifies && ledger.counts().different > 0 => Exit::Failed,
            exit => exit,
        };
        let (ledger, exit) =
            self.ledgers.iter().map(|ledger| (ledger, exit(ledger))).find(|(_, exit)| *exit != Exit::Done)?;
        let first = ledger.first().unwrap_or_default();
        Some((exit, first.path, first.error))
    }

    fn summary(&self, exit: Exit, seconds: f64) -> Summary {
        let state = match exit {
            Exit::Done if self.counts().different > 0 => "different",
            Exit::Done => "right",
            exit => exit.reason(),
        };
        let of = |(volume, ledger): (&Volume, &Ledger)| VolumeSummary {
            path: printed(&volume.path),
            counts: ledger.counts(),
            problems: ledger.problems(),
        };
        let volumes = self.volumes.iter().zip(&self.ledgers).map(of).collect();
        Summary { state, code: exit.code(), seconds: (seconds * 1000.0).round() / 1000.0, volumes }
    }
}

/// The trees of the command line, which share its settings, and those of the file.
async fn volumes(args: &Args, life: &Lifecycle) -> anyhow::Result<Vec<Volume>> {
    let mut volumes: Vec<_> = args.paths.iter().map(|path| args.volume.at(path)).collect();
    if let Some(path) = &args.config {
        volumes.extend(lifecycle::config::read::<Config>(path, args, life).await?.volumes);
    }
    Ok(volumes)
}

/// Closes the report, also when a PATH could not be opened after others were done, and tells the end.
fn finish(
    args: Args,
    work: &Work,
    started: Instant,
    stop: Option<Exit>,
    fixed: anyhow::Result<()>,
) -> anyhow::Result<End> {
    let failure = work.failure();
    let exit = stop.or(failure.as_ref().map(|failure| failure.0)).unwrap_or(Exit::Done);
    let error = fixed.err().map(End::from);
    let code = error.as_ref().map_or(exit, |end| end.exit);
    work.run.report.finish(&work.summary(code, started.elapsed().as_secs_f64()))?;
    if let (None, Some(end)) = (stop, error) {
        return Ok(end);
    }
    let Counts { seen, changed, failed, .. } = work.counts();
    let counts = match work.run.treatment {
        Treatment::Apply => format!("{seen} seen, {changed} changed"),
        _ => format!("{seen} seen"),
    };
    let end = match (stop, failure) {
        (Some(exit), _) => End { last: Some(format!("stopped after {counts}")), ..exit.into() },
        (None, Some((exit, path, error))) => {
            let others = if failed > 1 { format!(", and {} more", failed - 1) } else { String::new() };
            End { what: Some(path), last: Some(format!("{error}{others}; {counts}")), ..exit.into() }
        }
        (None, None) => End {
            become_command: args.command,
            become_user: args.run_as.map(|(user, group)| User { user, group }),
            ..Exit::Done.into()
        },
    };
    Ok(end)
}
