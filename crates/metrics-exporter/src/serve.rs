//! `run()`: answers each scrape until the end of the drain.

use std::{
    future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::StatusCode;
use lifecycle::{End, Heartbeat, Lifecycle, reload};
use tokio::time;

use crate::{
    args::Args,
    config::Config,
    exporter::{Exporter, text},
};

/// The longest silence of the job's thread. The largest page takes a fraction of it, so a thread that is silent longer is stuck.
const BOUND: Duration = Duration::from_secs(30);

/// Serves as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    // Serve before anything that may take time, because a page without the sources would look as if they had gone.
    let in_force = Arc::new(OnceLock::<Arc<Exporter>>::new());
    let pages = in_force.clone();
    life.serve_pages(move |request| {
        let exporter = pages.get().cloned();
        async move {
            match exporter {
                Some(exporter) => exporter.answer(request).await,
                None => text(StatusCode::SERVICE_UNAVAILABLE, "the configuration is not read yet\n".into()),
            }
        }
    });
    life.vital("scrapes", BOUND, |heartbeat| beat(life.clone(), heartbeat));
    life.spawn(follow_hangups(life.clone()));
    let (config, opened) = match &args.config {
        Some(path) => {
            let (config, opened) = reload::open::<Config>(path, args.clone(), &life).await?;
            (config, Some(opened))
        }
        None => (Config::default(), None),
    };
    let exporter = Arc::new(Exporter::new(args, &config, &life)?);
    // Cannot fail: only this line sets it.
    let _ = in_force.set(exporter.clone());
    if let Some(opened) = opened {
        let exporter = exporter.clone();
        opened.follow(&life, move |config| future::ready(exporter.reconfigure(&config)));
    }
    tokio::select! {
        biased;
        exit = life.stop_requested() => return Ok(exit.into()),
        // Readiness waits for no source, because sources start later than their sidecars.
        () = exporter.collect_once() => {}
    }
    life.started();
    Ok(life.refuse_new_work().await.into())
}

/// Reads certificates, keys, tokens and passwords again at each SIGHUP.
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

/// Beats regularly, which shows that the job's thread makes progress.
async fn beat(life: Lifecycle, heartbeat: Heartbeat) -> anyhow::Result<()> {
    loop {
        heartbeat.beat();
        tokio::select! {
            _ = life.refuse_new_work() => return Ok(()),
            () = time::sleep(heartbeat.interval()) => {}
        }
    }
}
