//! `run()`: sets one tree after another right, until all are, or something ends the work.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use lifecycle::{End, Exit, Lifecycle, User};
use tokio::{sync::oneshot, task, time};

use crate::{
    args::Args,
    capabilities::Capabilities,
    config::Config,
    fixer::Treatment,
    id_maps::IdMaps,
    ledger::{Cause, Counts, GRAVEST_FIRST, Ledger, Problem},
    progress::Progress,
    report::{Report, Summary, VolumeSummary},
    root,
    trail::{cut, printed, whole},
    tree::{self, Run},
    volume::Volume,
};

/// How long a stop waits for the counts of the walk; part of the 60 ms that lifecycle gives to a
/// task.
const STOP_PATIENCE: Duration = Duration::from_millis(40);
/// How long a reader of stdout may take for the end of the report
const PRINT_TIMEOUT: Duration = Duration::from_secs(1);

/// Works as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let started = Instant::now();
    let work = Arc::new(Work::new(&args, volumes(&args, &life).await?));
    let run_as = args.run_as;
    let mut progress = Progress::new(life.on_terminal());
    let (sender, mut done) = oneshot::channel::<()>();
    let worker = work.clone();
    let walk = move || {
        // Dropped at every end, also by a panic.
        let _sender = sender;
        may_become(run_as, worker.run.capabilities)?;
        worker.fix()
    };
    let walk = thread::Builder::new().name("walk".into()).spawn(walk).context("cannot start a thread")?;
    let stop = tokio::select! {
        biased;
        exit = life.stop_requested() => Some(exit),
        _ = &mut done => None,
        () = progress.keep_telling(&work.ledgers, || work.path()) => None,
    };
    if let Some(exit) = stop {
        work.run.stopped.store(true, SeqCst);
        // A system call on a volume that does not answer has no end, and neither has a write
        // without a reader.
        if time::timeout(STOP_PATIENCE, done).await.is_err() {
            return Ok(work.stuck(exit));
        }
    }
    drop(progress);
    let fixed = walk.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
    finish(args, work, started, stop, fixed).await
}

/// Refuses a user for COMMAND before any tree is touched.
fn may_become(run_as: Option<(u32, u32)>, capabilities: Capabilities) -> anyhow::Result<()> {
    let Some((user, group)) = run_as else { return Ok(()) };
    if let Some(lack) = IdMaps::of_this_process().lacks(Some(user), Some(group)) {
        return Err(Exit::Denied.because(format!("cannot become {user}:{group}: {lack}: choose others")));
    }
    let missing = capabilities.missing_to_become(user, group);
    if missing.is_empty() {
        return Ok(());
    }
    let remedy = capabilities.remedy(&missing);
    let verb = if missing.len() == 1 { "is" } else { "are" };
    Err(Exit::Denied.because(format!("cannot become {user}:{group}: {} {verb} missing; {remedy}", in_words(&missing))))
}

/// `CAP_SETUID and CAP_SETGID`
fn in_words(capabilities: &[&str]) -> String {
    capabilities.iter().map(|name| format!("CAP_{name}")).collect::<Vec<_>>().join(" and ")
}

/// All trees of a run
struct Work {
    volumes: Vec<Volume>,
    /// One for each of them
    ledgers: Vec<Ledger>,
    run: Run,
    /// The number of the volume that is looked at now; a larger one than there is before the first
    at: AtomicUsize,
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
        Self {
            ledgers: volumes.iter().map(|_| Ledger::default()).collect(),
            volumes,
            run,
            at: AtomicUsize::new(usize::MAX),
        }
    }

    /// No tree is touched while another PATH is a mistake.
    fn fix(&self) -> anyhow::Result<()> {
        for (number, volume) in self.volumes.iter().enumerate() {
            self.at.store(number, SeqCst);
            root::check(volume, self.run.capabilities)?;
        }
        for (number, (volume, ledger)) in self.volumes.iter().zip(&self.ledgers).enumerate() {
            if self.run.stopped.load(SeqCst) {
                break;
            }
            self.at.store(number, SeqCst);
            if let Err(error) = tree::fix(volume, &self.run, ledger) {
                tracing::error!(path = printed(&volume.path), error = format!("{error:#}"), "cannot be used");
                for behind in &self.volumes[number + 1..] {
                    tracing::warn!(path = printed(&behind.path), "not looked at: a PATH before it cannot be used");
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Notes why the PATH that is looked at can't be one.
    fn refuse(&self, end: &End) {
        let at = self.at.load(SeqCst);
        if let (Some(volume), Some(ledger)) = (self.volumes.get(at), self.ledgers.get(at)) {
            let error = end.last.clone().unwrap_or_default();
            ledger.refuse(Problem {
                path: whole(&volume.path),
                code: Some(end.exit.code()),
                cause: Some(Cause::Unusable),
                error,
            });
        }
    }

    /// The PATH that is looked at now
    fn path(&self) -> String {
        self.volumes.get(self.at.load(SeqCst)).map(|volume| printed(&volume.path)).unwrap_or_default()
    }

    /// The end at a stop signal when the walk does not end.
    fn stuck(&self, exit: Exit) -> End {
        let Counts { seen, changed, .. } = self.counts();
        let last = format!("a step did not end in time after {seen} seen, {changed} changed: does the volume answer?");
        End { what: Some(self.path()), last: Some(last), ..exit.into() }
    }

    fn counts(&self) -> Counts {
        Counts::sum(self.ledgers.iter().map(Ledger::counts))
    }

    /// The exit code of all trees, and the path and the words of the first problem that leads to it
    fn failure(&self) -> Option<(Exit, String, String)> {
        let verifies = self.run.treatment == Treatment::Verify;
        let exit = |ledger: &Ledger| match ledger.exit() {
            Exit::Done if verifies && ledger.counts().different > 0 => Exit::Failed,
            exit => exit,
        };
        let exits: Vec<_> = self.ledgers.iter().map(exit).collect();
        let exit = GRAVEST_FIRST.into_iter().find(|exit| exits.contains(exit))?;
        let ledger = self.ledgers.iter().zip(&exits).find(|(_, of)| **of == exit)?.0;
        let first = ledger.first(exit).unwrap_or_default();
        Some((exit, cut(&first.path), first.error))
    }

    fn summary(&self, exit: Exit, seconds: f64) -> Summary {
        let counts = self.counts();
        let are_labels_ignored = self.ledgers.iter().any(|ledger| ledger.are_labels_ignored.load(Relaxed));
        let is_incomplete = are_labels_ignored || counts.warned + counts.tolerated + counts.left_alone > 0;
        let state = match exit {
            Exit::Done if counts.different > 0 => "different",
            Exit::Done if is_incomplete => "incomplete",
            Exit::Done => "right",
            exit => exit.reason(),
        };
        let of = |(volume, ledger): (&Volume, &Ledger)| VolumeSummary {
            path: whole(&volume.path),
            counts: ledger.counts(),
            trusted: ledger.is_trusted.load(Relaxed),
            labels_ignored: ledger.are_labels_ignored.load(Relaxed),
            problems: ledger.problems(),
        };
        let volumes = self.volumes.iter().zip(&self.ledgers).map(of).collect();
        Summary { state, code: exit.code(), seconds: (seconds * 1000.0).round() / 1000.0, volumes }
    }
}

/// The trees of the command line, which share its settings, and those of the file.
async fn volumes(args: &Args, life: &Lifecycle) -> anyhow::Result<Vec<Volume>> {
    let mut volumes: Vec<_> = args.paths().map(|path| args.volume.at(path)).collect();
    if let Some(path) = &args.config {
        volumes.extend(lifecycle::config::read::<Config>(path, args, life).await?.volumes);
    }
    Ok(volumes)
}

/// Closes the report, also when a PATH could not be opened after others were done, and tells the
/// end.
async fn finish(
    args: Args,
    work: Arc<Work>,
    started: Instant,
    stop: Option<Exit>,
    fixed: anyhow::Result<()>,
) -> anyhow::Result<End> {
    let failure = work.failure();
    let exit = stop.or(failure.as_ref().map(|failure| failure.0)).unwrap_or(Exit::Done);
    let error = fixed.err().map(End::from);
    if let Some(end) = &error {
        work.refuse(end);
    }
    // A PATH that can't be used ends the run, unless something graver went wrong before.
    let rank = |exit: Exit| GRAVEST_FIRST.iter().position(|other| *other == exit);
    let rank_of_error = |end: &End| rank(end.exit).or(rank(Exit::Failed));
    let error = error.filter(|end| rank(exit).is_none_or(|of_trees| Some(of_trees) >= rank_of_error(end)));
    let code = error.as_ref().map_or(exit, |end| end.exit);
    end_report(work.clone(), work.summary(code, started.elapsed().as_secs_f64())).await?;
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

/// Writes the end of the report. A reader of stdout that has stalled does not keep the app from
/// starting.
async fn end_report(work: Arc<Work>, summary: Summary) -> anyhow::Result<()> {
    let writing = task::spawn_blocking(move || work.run.report.finish(&summary));
    let Ok(written) = time::timeout(PRINT_TIMEOUT, writing).await else {
        let limit = lifecycle::format_duration(PRINT_TIMEOUT);
        tracing::warn!("stdout was not read within {limit}, so the report there is not whole");
        return Ok(());
    };
    written.context("cannot write the report")?
}
