//! A small task that waits for a file and ends as its flags say; the example of how a task uses `lifecycle`.

use std::{convert::Infallible, ffi::OsString, fs::File, hint, io, path::PathBuf, process::ExitCode, time::Duration};

use lifecycle::{End, Exit, Helper, Lifecycle, Secret};

/// How often the file is looked for
const TICK: Duration = Duration::from_millis(5);

/// Wait for a file, then end as told
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "test-task", version)]
struct Args {
    /// Wait until this file exists
    #[arg(long, value_name = "PATH")]
    after_file: Option<PathBuf>,
    /// Wait without ever yielding, deaf to every request to stop
    #[arg(long)]
    busy: bool,
    /// How to end
    #[arg(long, value_enum, default_value = "done")]
    end: Ending,
    /// The text of the last line about it
    #[arg(long, value_name = "TEXT", default_value = "told to end so")]
    last: String,
    /// Has a value that must never be printed
    #[arg(long, value_name = "PATH", value_parser = |path: &str| Secret::from_file(path.as_ref()))]
    secret_file: Option<Secret>,
    /// Has a parser with a bug in it
    #[arg(long, value_name = "TEXT", value_parser = |_: &str| -> Result<u8, Infallible> { panic!("a bug in a parser") })]
    buggy: Option<u8>,
    /// Has a parser that opens a file, however long that takes
    #[arg(long, value_name = "PATH", value_parser = opened)]
    opened: Option<PathBuf>,
    /// Replace this program with a command in the end
    #[arg(last = true)]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Ending {
    Done,
    Failed,
    Data,
    Unavailable,
    Panic,
    Io,
    Denied,
    Config,
    TimedOut,
}

fn opened(path: &str) -> io::Result<PathBuf> {
    File::open(path).map(|_| path.into())
}

fn main() -> ExitCode {
    lifecycle::main(Helper::task(None), run)
}

async fn run(args: Args, life: Lifecycle) -> anyhow::Result<End> {
    tokio::select! {
        biased;
        exit = life.stop_requested() => Ok(exit.into()),
        () = wait(&args) => end(args),
    }
}

async fn wait(args: &Args) {
    while args.after_file.as_deref().is_some_and(|path| !path.exists()) {
        if args.busy {
            hint::spin_loop();
        } else {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// A foreseen end is an `Ok`, with or without a command to become; any other is an error with its code.
fn end(args: Args) -> anyhow::Result<End> {
    let exit = match args.end {
        Ending::Done => return Ok(End { become_command: args.command, ..Exit::Done.into() }),
        Ending::TimedOut => {
            return Ok(End { last: Some(args.last), become_command: args.command, ..Exit::TimedOut.into() });
        }
        Ending::Failed => anyhow::bail!(args.last),
        Ending::Panic => panic!("{}", args.last),
        Ending::Data => Exit::Data,
        Ending::Unavailable => Exit::Unavailable,
        Ending::Io => Exit::Io,
        Ending::Denied => Exit::Denied,
        Ending::Config => Exit::Config,
    };
    Err(exit.because(args.last))
}
