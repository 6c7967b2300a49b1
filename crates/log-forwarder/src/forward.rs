//! `run()`: resumes from the last run's checkpoint, watches, delivers, and at a stop continues until nothing is left.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lifecycle::{End, Exit, Lifecycle, Misfit, reload};
use tokio::{sync::watch, time};

use crate::{
    content::volume::Disk,
    delivery::{couriers::Couriers, dead_letters::DeadLetters},
    files::{
        descriptors::Descriptors,
        follower::{Follower, Policy, Settings, Shared, lock},
        ledger::Ledger,
        reading::Bounds,
    },
    own_files::one_file_twice,
    settings::{args::Args, config::Config, input::Input, plan::Plan, selection::Period},
    state::{checkpoint::Checkpoint, resume, saver::Saver, state_lock},
    volume,
    watch::{events::Events, signal::Signal, tail::Tail},
};

/// Bytes that are read at once. Less asks the system and other threads more often, and of more the
/// processor's cache has no room for the lines and the body of their request.
const BATCH: u64 = 384 * 1024;
/// How long a loop may be silent before `/livez` is 503. A file on a slow volume may take seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// The time that the checkpoint's volume has for the first save and for the last one; those in between wait for it. A disk to which
/// others write much may take some seconds.
const SAVE: Duration = Duration::from_secs(10);
/// The same once the drain deadline is near
const SAVE_AT_DEADLINE: Duration = Duration::from_millis(300);

/// Forwards as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    // Each file that is read stays open.
    lifecycle::raise_descriptor_limit();
    let config = match &args.config {
        Some(path) => Some(reload::open::<Config>(path, args.clone(), &life).await?),
        None => None,
    };
    let plan = plan(&args, config.as_ref().map(|(content, _)| content))?;
    let ledger = Ledger::new(life.metrics())?;
    let lag = ledger.lag.clone();
    life.write_metrics(move |page| lag.write(page));
    let settings = settings(&args, &plan);
    let descriptors = Descriptors::of_process();
    let follower = Follower::new(settings, ledger, descriptors, Arc::new(Disk));
    let follower = Arc::new(Mutex::new(follower));
    for output in &plan.outputs {
        lock(&follower).add_output(output.label());
    }
    let volumes = plan.inputs.iter().map(Input::root).chain(args.state_dir.clone());
    // A stop that comes now delivers all the same, once the volumes have answered.
    volume::all_answer(volumes.collect()).await?;
    if let Some(letters) = args.dead_letter.clone() {
        life.spawn(look_for_directory_of(letters, life.clone()));
    }
    let own_files = lock(&follower).own_files().clone();
    files_are_distinct(&args, &plan).await?;
    own_files.add(plan.own_files().chain(args.dead_letter.clone()).collect()).await;
    let _lock = match &args.state_dir {
        Some(directory) => state_lock::take(directory).await?,
        None => None,
    };
    let saver = args.state_dir.as_deref().map(|directory| Saver::new(follower.clone(), directory));
    if let Some(directory) = &args.state_dir {
        resume(&follower, directory).await?;
    } else if plan.inputs.iter().any(Input::starts_at_end) {
        tracing::warn!(
            "no --state-dir: a restart passes over lines, because each start is a first one for --start-at end"
        );
    } else {
        tracing::warn!("no --state-dir: a restart delivers every file again, from its beginning");
    }
    let (sender, signal) = watch::channel(Signal::default());
    let sender = Arc::new(sender);
    let mut tail = Tail::new(follower.clone(), sender.clone(), life.pending("bytes"));
    tail.begin();
    if let Some(saver) = &saver {
        // The next run needs the known files to find those that are rotated between the runs.
        saver.save_before(time::sleep(SAVE)).await;
        let (saver, signal) = (saver.clone(), signal.clone());
        life.vital("checkpoint", SILENCE, |heartbeat| saver.run(signal, heartbeat));
    }
    let mut couriers = Couriers {
        follower: follower.clone(),
        dead_letters: Arc::new(DeadLetters::new(args.dead_letter.clone(), own_files)),
        signal: signal.clone(),
        life: life.clone(),
        linger: args.linger,
        silence: SILENCE,
        running: Vec::new(),
    };
    couriers.arrange(&plan.outputs);
    if let Some((_, config)) = config {
        let (couriers, events) = (Arc::new(tokio::sync::Mutex::new(couriers)), tail.events.clone());
        config.follow(&life, move |content| apply(args.clone(), content, couriers.clone(), events.clone()));
    }
    life.spawn(follow_hangups(life.clone()));
    let watching = life.clone();
    life.vital("tail", SILENCE, |heartbeat| tail.run(watching, heartbeat));
    life.started();
    finish(&follower, saver, &sender, signal, &life).await
}

/// Puts a new configuration in force, for the batches in flight, too. It was judged before, so only
/// files that it names can have changed since.
async fn apply(
    args: Args,
    content: Config,
    couriers: Arc<tokio::sync::Mutex<Couriers>>,
    events: Events,
) -> anyhow::Result<()> {
    let plan = plan(&args, Some(&content))?;
    files_are_distinct(&args, &plan).await?;
    let mut couriers = couriers.lock().await;
    let own_files = lock(&couriers.follower).own_files().clone();
    own_files.add(plan.own_files().collect()).await;
    lock(&couriers.follower).take_settings(settings(&args, &plan), Instant::now());
    couriers.arrange(&plan.outputs);
    events.ask();
    Ok(())
}

/// Warns of dead letters without a directory. A stop does not wait for their volume.
async fn look_for_directory_of(letters: PathBuf, life: Lifecycle) {
    tokio::select! {
        _ = life.stop_requested() => {}
        () = volume::look_for_directory_of(letters) => {}
    }
}

/// SIGHUP asks for a new reading of certificates, keys, tokens and passwords.
async fn follow_hangups(life: Lifecycle) {
    let mut hangups = life.hangups();
    loop {
        tokio::select! {
            _ = life.stop_requested() => return,
            changed = hangups.changed() => match changed {
                Ok(()) => endpoint::read_files_again(),
                Err(_) => return,
            },
        }
    }
}

/// The settings of flags and file together. A fault here is one of the flags, because the file was judged when it was read.
fn plan(args: &Args, config: Option<&Config>) -> anyhow::Result<Plan> {
    let (inputs, outputs) = config.map_or((&[][..], &[][..]), |config| (&config.inputs, &config.outputs));
    let messages = |misfits: Vec<Misfit>| {
        let messages: Vec<_> = misfits.into_iter().map(|misfit| misfit.message).collect();
        Exit::Usage.because(messages.join("; "))
    };
    Plan::of(args, inputs, outputs).map_err(messages)
}

/// Refuses a file that two writers would write, because each cuts off half a line at its end after a failure.
async fn files_are_distinct(args: &Args, plan: &Plan) -> anyhow::Result<()> {
    let files: Vec<_> = args.dead_letter.iter().cloned().chain(plan.own_files()).collect();
    match one_file_twice(&files).await {
        Some((one, other)) => {
            let (one, other) = (one.display(), other.display());
            let message =
                format!("{one} and {other} are one file, and dead letters and outputs need files of their own");
            Err(Exit::Usage.because(message))
        }
        None => Ok(()),
    }
}

/// The plan has checked that all sizes fit into memory.
fn settings(args: &Args, plan: &Plan) -> Settings {
    let size = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    let line = size(args.max_line);
    let share = args.max_in_flight / plan.outputs.len() as u64;
    let batch = size(BATCH.min(share));
    Settings {
        inputs: plan.inputs.clone(),
        bounds: Bounds { batch, line, may_grow: true },
        gathered: size(args.max_batch.min(share)),
        policy: Policy {
            max_pinned: args.max_pinned,
            quiet_period: args.quiet_period,
            close_inactive: args.selection.close_inactive.map(|Period(period)| period),
            stopping: None,
        },
    }
}

/// A checkpoint that cannot be read is logged, and is no reason not to deliver.
async fn resume(follower: &Shared, directory: &Path) -> anyhow::Result<()> {
    let path = directory.to_owned();
    match volume::ask(directory, move || Checkpoint::load(&path)).await? {
        Ok(Some(checkpoint)) => resume::resume(&mut lock(follower), checkpoint, Instant::now()),
        Ok(None) => tracing::info!("no checkpoint yet: this is the first start"),
        Err(error) => {
            let error = lifecycle::io_text(&error);
            tracing::error!(error, "cannot read the checkpoint: every file is delivered again, from its beginning");
            // Rotated files may hold what was not delivered: none of them is passed over as older than the first start.
            lock(follower).distrust_names();
        }
    }
    Ok(())
}

/// Waits until a stop has nothing left to do, or no time; logs the ledger, and saves the checkpoint.
async fn finish(
    follower: &Shared,
    saver: Option<Saver>,
    sender: &watch::Sender<Signal>,
    mut signal: watch::Receiver<Signal>,
    life: &Lifecycle,
) -> anyhow::Result<End> {
    let exit = tokio::select! {
        biased;
        _ = signal.wait_for(|signal| signal.over) => life.stop_requested().await,
        () = life.deadline_near() => {
            sender.send_modify(|signal| signal.over = true);
            Exit::Unfinished
        }
    };
    let (summary, behind) = log_ledger(&lock(follower));
    // The ledger is logged already, if a kill comes before the volume answers.
    if let Some(saver) = saver {
        let deadline = async {
            life.deadline_near().await;
            time::sleep(SAVE_AT_DEADLINE).await;
        };
        saver.save_before(async { drop(time::timeout(SAVE, deadline).await) }).await;
    }
    if exit == Exit::Done {
        return Ok(exit.into());
    }
    let (what, reason) = match lock(follower).set.last_grown() {
        Some(file) if behind == 0 => {
            let reason = "all lines are delivered, but it was not quiet for --quiet-period within --shutdown-timeout";
            (file.display().to_string(), reason)
        }
        _ => (format!("{behind} bytes"), "not delivered within --shutdown-timeout"),
    };
    Ok(End { what: Some(what), last: Some(format!("{reason}; ledger: {summary}")), ..exit.into() })
}

/// Logs the ledger at the end. Returns it in short, and the bytes that are not delivered.
fn log_ledger(follower: &Follower) -> (String, u64) {
    let (summary, behind) = (follower.set.ledger().summary(), follower.set.behind());
    if follower.set.ledger().is_clean() {
        tracing::info!(behind, "ledger: {summary}");
    } else {
        tracing::warn!(behind, "ledger, with losses: {summary}");
    }
    (summary, behind)
}
