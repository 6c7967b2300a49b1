//! `run()`: keeps each secret fresh until the stop, or writes each of them once.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use lifecycle::{End, Exit, Lifecycle, config, reload};
use tokio::{sync::Mutex, time};

use crate::{
    adopt::StateDirectory,
    args::Args,
    config::Config,
    refreshers::Refreshers,
    report::{board::Board, status},
    schedule::clock::Clock,
};

/// Refreshes as the arguments say.
pub async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let state = match &args.state_dir {
        Some(path) => tokio::select! {
            biased;
            exit = life.stop_requested() => return Ok(exit.into()),
            state = StateDirectory::open(path) => Some(state?),
        },
        None => None,
    };
    let board = Board::new();
    let refreshers = Refreshers::new(&life, Clock::system(), board.clone(), state).context("cannot count")?;
    if args.once { write_once(args, life, board, refreshers).await } else { keep(args, life, board, refreshers).await }
}

/// Writes each secret once. A stop leaves its work undone.
async fn write_once(args: Args, life: Lifecycle, board: Board, mut refreshers: Refreshers) -> anyhow::Result<End> {
    let path = args.config.as_deref().context("--config is missing")?;
    let config = config::read::<Config>(path, &args, &life).await?;
    let result = tokio::select! {
        biased;
        exit = life.stop_requested() => return Ok(exit.into()),
        () = passed(args.limit()) => Ok(timed_out(&board)),
        result = refreshers.write_once(&config) => result.map(|()| Exit::Done.into()),
    };
    if let Some(path) = &args.status_file
        && let Err(error) = status::write(path, &board).await
    {
        tracing::warn!("no status file: {error:#}");
    }
    result
}

/// Keeps each secret fresh beside the app.
async fn keep(args: Args, life: Lifecycle, board: Board, mut refreshers: Refreshers) -> anyhow::Result<End> {
    let path = args.config.as_deref().context("--config is missing")?;
    let (config, opened) = reload::open::<Config>(path, args.clone(), &life).await?;
    tokio::select! {
        biased;
        exit = life.stop_requested() => return Ok(exit.into()),
        kept = refreshers.keep(&config) => kept?,
    }
    // Its outputs share their locks with the loops, which must give them up when a new configuration replaces them.
    drop(config);
    if let Some(path) = args.status_file {
        status::start(path, &board, &life);
    }
    let refreshers = Arc::new(Mutex::new(refreshers));
    opened.follow(&life, move |config| {
        let refreshers = refreshers.clone();
        async move { refreshers.lock().await.keep(&config).await }
    });
    tokio::select! {
        biased;
        exit = life.stop_requested() => return Ok(exit.into()),
        () = board.all_written() => life.started(),
    }
    Ok(life.stop_requested().await.into())
}

async fn passed(limit: Option<Duration>) {
    match limit {
        Some(limit) => time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// The end of a task that took too long, with a secret that it waited for.
fn timed_out(board: &Board) -> End {
    let Some((secret, failure)) = board.unwritten() else { return Exit::TimedOut.into() };
    let last = failure.map(|failure| failure.reason);
    let attempts = board.rows().get(&secret).map(|row| row.failures);
    End { what: Some(secret), last, attempts, ..Exit::TimedOut.into() }
}
