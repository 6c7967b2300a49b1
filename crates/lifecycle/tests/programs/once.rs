//! A small helper that is a sidecar, or a task with `--once`, and that handles secrets.

use std::{fs::File, io, path::PathBuf, process::ExitCode, time::Duration};

use lifecycle::{End, Exit, Helper, Lifecycle};

/// How often the file is looked for
const TICK: Duration = Duration::from_millis(5);

/// Wait for a file, and then stand beside an app
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "test-once", version)]
struct Args {
    /// End once the file exists
    #[arg(long)]
    once: bool,
    /// With --once, wait no longer than this
    #[arg(long, value_name = "DURATION", requires = "once", value_parser = lifecycle::duration)]
    timeout: Option<Duration>,
    /// Wait until this file exists
    #[arg(long, value_name = "PATH")]
    after_file: Option<PathBuf>,
    /// Create this file
    #[arg(long, value_name = "PATH")]
    created: Option<PathBuf>,
    /// Has a parser that opens a file, however long that takes
    #[arg(long, value_name = "PATH", value_parser = opened)]
    opened: Option<PathBuf>,
}

fn opened(path: &str) -> io::Result<PathBuf> {
    File::open(path).map(|_| path.into())
}

fn main() -> ExitCode {
    lifecycle::main(Helper::sidecar(9470, None).with_once("once").with_hardening(), run)
}

async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    if let Some(path) = &args.created {
        File::create_new(path)?;
    }
    tokio::select! {
        biased;
        exit = life.stop_requested() => return Ok(exit.into()),
        () = passed(args.timeout) => return Ok(Exit::TimedOut.into()),
        () = until_there(&args) => {}
    }
    life.started();
    if args.once {
        return Ok(Exit::Done.into());
    }
    Ok(life.stop_requested().await.into())
}

async fn passed(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

async fn until_there(args: &Args) {
    while args.after_file.as_deref().is_some_and(|path| !path.exists()) {
        tokio::time::sleep(TICK).await;
    }
}
