//! `run()`: sets one tree after another right, until all are, or something ends the work.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Instant,
};

use anyhow::Context;
use lifecycle::{End, Exit, Lifecycle, User};
use tokio::task;

use crate::{
    args::Args,
    capabilities::Capabilities,
    config::Config,
    fixer::Treatment,
    ledger::{Counts, Ledger},
    progress::Progress,
    report::{Report, Summary, VolumeSummary},
    root,
    tree::{self, Run},
    volume::Volume,
};

/// Works as the arguments say.
pub async fn run(mut args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let started = Instant::now();
    let work = Arc::new(Work::new(&mut args)?);
    let mut progress = Progress::new(life.on_terminal());
    let worker = work.clone();
    let mut done = task::spawn_blocking(move || worker.fix());
    let stop = tokio::select! {
        biased;
        exit = life.stopping() => Some(exit),
        fixed = &mut done => {
            drop(progress);
            fixed.context("the work was given up")??;
            return finish(args, &work, started, None);
        }
        () = progress.keep_telling(&work.ledgers) => None,
    };
    work.run.stopped.store(true, SeqCst);
    drop(progress);
    done.await.context("the work was given up")??;
    finish(args, &work, started, stop)
}

/// All trees of a run
struct Work {
    volumes: Vec<Volume>,
    /// One for each of them
    ledgers: Vec<Ledger>,
    run: Run,
}

impl Work {
    fn new(args: &mut Args) -> anyhow::Result<Self> {
        let volumes = volumes(args)?;
        let run = Run {
            treatment: args.treatment(),
            sample: args.sample,
            threads: args.threads,
            capabilities: Capabilities::of_this_process(),
            report: Report::new(args.output),
            stopped: AtomicBool::new(false),
        };
        Ok(Self { ledgers: volumes.iter().map(|_| Ledger::default()).collect(), volumes, run })
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
        let state = if exit == Exit::Done { "right" } else { exit.reason() };
        let of = |(volume, ledger): (&Volume, &Ledger)| VolumeSummary {
            path: volume.path.display().to_string(),
            counts: ledger.counts(),
            problems: ledger.problems(),
        };
        let volumes = self.volumes.iter().zip(&self.ledgers).map(of).collect();
        Summary { state, code: exit.code(), seconds: (seconds * 1000.0).round() / 1000.0, volumes }
    }
}

/// The trees of the command line, which share its settings, and those of the file.
fn volumes(args: &mut Args) -> anyhow::Result<Vec<Volume>> {
    let paths = mem::take(&mut args.paths);
    if !paths.is_empty() {
        args.volume.check().map_err(|reason| Exit::Usage.because(reason))?;
    }
    let mut volumes: Vec<_> = paths.into_iter().map(|path| Volume { path, ..args.volume.clone() }).collect();
    if let Some(path) = &args.config {
        volumes.extend(lifecycle::config::read::<Config>(path)?.volumes);
    }
    Ok(volumes)
}

fn finish(args: Args, work: &Work, started: Instant, stop: Option<Exit>) -> anyhow::Result<End> {
    let failure = work.failure();
    let exit = stop.or(failure.as_ref().map(|failure| failure.0)).unwrap_or(Exit::Done);
    work.run.report.finish(&work.summary(exit, started.elapsed().as_secs_f64()))?;
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
