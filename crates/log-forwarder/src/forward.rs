//! `run()`: takes up the last run's checkpoint, watches, delivers, and at a stop goes on until nothing is left.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context;
use lifecycle::{Complaint, End, Exit, Lifecycle};
use tokio::{sync::watch, task, time};

use crate::{
    args::Args,
    catalog::{Catalog, Settings, Shared, lock},
    checkpoint::Checkpoint,
    courier::Courier,
    dead_letters::DeadLetters,
    destination::Destination,
    generation::Bounds,
    ledger::Ledger,
    retry::Retry,
    saver::Saver,
    tail::{Signal, Tail},
};

/// Bytes that are read at once. More does not read faster, and less asks the system more often.
const BATCH: u64 = 512 * 1024;
/// How long a loop may be silent before `/livez` tells. A file on a slow volume may take seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// What the checkpoint must be saved within at the end
const LAST_SAVE: Duration = Duration::from_millis(300);

/// Forwards as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    args.check().map_err(|reason| Exit::Usage.because(reason))?;
    let labels: Vec<_> = args.outputs.iter().map(Destination::label).collect();
    let ledger = Ledger::new(&labels, life.metrics())?;
    let catalog = Arc::new(Mutex::new(Catalog::new(settings(&args, labels)?, ledger.clone())));
    let saver = args.state_dir.as_deref().map(|directory| Saver::new(catalog.clone(), directory));
    if let Some(directory) = &args.state_dir {
        resume(&catalog, directory);
    } else {
        tracing::warn!("no --state-dir: a restart delivers every file anew, from its beginning");
    }
    let (sender, signal) = watch::channel(Signal::default());
    let sender = Arc::new(sender);
    let mut tail = Tail::new(catalog.clone(), sender.clone(), life.pending("bytes"));
    tail.begin();
    if let Some(saver) = &saver {
        // What is known must be known to a run that follows, or it could not tell what was rotated meanwhile.
        saver.save();
        let (saver, signal) = (saver.clone(), signal.clone());
        life.vital("checkpoint", SILENCE, |heartbeat| saver.run(signal, heartbeat));
    }
    start_couriers(&args, &catalog, &ledger, &signal, &life)?;
    let watching = life.clone();
    life.vital("tail", SILENCE, |heartbeat| tail.run(watching, heartbeat));
    life.started();
    finish(&catalog, saver, &sender, signal, &life).await
}

fn settings(args: &Args, outputs: Vec<String>) -> anyhow::Result<Settings> {
    let line = usize::try_from(args.max_line).context("--max-line is more than memory holds")?;
    let batch = usize::try_from(BATCH.min(args.max_in_flight / outputs.len() as u64))?;
    Ok(Settings {
        inputs: args.inputs.clone(),
        outputs,
        bounds: Bounds { batch, line },
        max_pinned: args.max_pinned,
        quiet_period: args.quiet_period,
    })
}

/// A checkpoint that can't be read is told, and no reason not to deliver.
fn resume(catalog: &Shared, directory: &Path) {
    match Checkpoint::load(directory) {
        Ok(Some(checkpoint)) => lock(catalog).resume(&checkpoint),
        Ok(None) => tracing::info!("no checkpoint yet: every file is read from its beginning"),
        Err(error) => {
            tracing::error!(%error, "cannot read the checkpoint: every file is delivered anew, from its beginning");
            // Rotated files may hold what was not delivered: none of them is passed over as older than the first start.
            lock(catalog).watch_all_anew();
        }
    }
}

fn start_couriers(
    args: &Args,
    catalog: &Shared,
    ledger: &Ledger,
    signal: &watch::Receiver<Signal>,
    life: &Lifecycle,
) -> anyhow::Result<()> {
    let dead_letters = Arc::new(DeadLetters::new(args.dead_letter.clone()));
    for (index, destination) in args.outputs.iter().enumerate() {
        let output = destination.open(&lock(catalog).pool).map_err(|reason| Exit::Usage.because(reason))?;
        let courier = Courier {
            catalog: catalog.clone(),
            ledger: ledger.clone(),
            index,
            label: destination.label(),
            output,
            dead_letters: dead_letters.clone(),
            signal: signal.clone(),
            retry: Retry::default(),
            complaint: Complaint::default(),
        };
        life.vital("courier", SILENCE, |heartbeat| courier.run(heartbeat));
    }
    Ok(())
}

/// Waits until a stop has nothing left to do, or no time to do it; saves, and says what has become of every byte.
async fn finish(
    catalog: &Shared,
    saver: Option<Saver>,
    sender: &watch::Sender<Signal>,
    mut signal: watch::Receiver<Signal>,
    life: &Lifecycle,
) -> anyhow::Result<End> {
    let exit = tokio::select! {
        biased;
        _ = signal.wait_for(|signal| signal.over) => life.stopping().await,
        () = life.expiring() => {
            sender.send_modify(|signal| signal.over = true);
            Exit::Unfinished
        }
    };
    if let Some(saver) = saver {
        let _ = time::timeout(LAST_SAVE, task::spawn_blocking(move || saver.save())).await;
    }
    let catalog = lock(catalog);
    let (summary, behind) = (catalog.ledger.summary(), catalog.behind());
    if catalog.ledger.is_clean() {
        tracing::info!(behind, "ledger: {summary}");
    } else {
        tracing::warn!(behind, "ledger, with losses: {summary}");
    }
    let what = (exit != Exit::Done).then(|| format!("{behind} bytes"));
    let last = (exit != Exit::Done).then(|| format!("not delivered within --shutdown-timeout; ledger: {summary}"));
    Ok(End { what, last, ..exit.into() })
}
