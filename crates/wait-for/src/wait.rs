//! `run()`: asks all targets at once until they are ready, or something ends the wait.

use std::{
    cell::RefCell,
    io::{self, Write},
    mem,
    ops::Range,
    time::Duration,
};

use anyhow::Context;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper_util::client::proxy::matcher::Matcher;
use lifecycle::{End, Exit, Lifecycle};
use tokio::{task, time};

use crate::{
    args::{Args, Output, Proxy},
    board::{Board, REMINDER},
    config::Config,
    network::Network,
    pace::Pace,
    row::State,
    stage::Stage,
    target::Target,
};

/// How often the live table is redrawn when nothing happens
const REDRAW: Duration = Duration::from_secs(1);
/// How long a reader of stdout may take for the result
const PRINT_TIMEOUT: Duration = Duration::from_secs(1);

/// Waits as the arguments say.
pub async fn run(mut args: Args, life: Lifecycle) -> anyhow::Result<End> {
    let mut targets: Vec<_> = mem::take(&mut args.targets).into_iter().flat_map(|lines| lines.0).collect();
    if let Some(path) = &args.config {
        targets.extend(lifecycle::config::read::<Config>(path, &args, &life).await?.into_targets());
    }
    if args.disabled {
        tracing::info!("waiting is disabled");
        print(&args, &Board::new(&targets, false), "disabled", Exit::Done).await?;
        return Ok(End { become_command: args.command, ..Exit::Done.into() });
    }
    if targets.is_empty() {
        return Err(Exit::Usage.because("no targets: name one, such as tcp://db:5432"));
    }
    for Target { label, query_option, .. } in &targets {
        if let Some(name) = query_option {
            tracing::warn!(target = label, "the query has {name}=, which goes to the server: options stand behind a #");
        }
    }
    let board = RefCell::new(Board::new(&targets, life.on_terminal()));
    let network = Network::new((args.proxy == Proxy::Env).then(|| Matcher::from_env().into()));
    let networks: Vec<_> = targets.iter().map(|_| network.for_another_target()).collect();
    let exit = tokio::select! {
        biased;
        exit = life.stop_requested() => exit,
        exit = targets_ready(&args, &targets, &networks, &board) => exit,
        () = timeout(args.timeout) => Exit::TimedOut,
        () = keep_telling(&board) => Exit::Bug,
    };
    let mut board = board.into_inner();
    for (index, network) in networks.iter().enumerate() {
        board.interrupt(index, network);
    }
    finish(args, board, exit).await
}

async fn finish(args: Args, mut board: Board, exit: Exit) -> anyhow::Result<End> {
    board.summarize(exit);
    print(&args, &board, if exit == Exit::Done { "ready" } else { exit.reason() }, exit).await?;
    let mut end = board.end(exit);
    if exit == Exit::Done || (exit == Exit::TimedOut && args.run_anyway) {
        end.become_command = args.command;
    }
    Ok(end)
}

/// Prints the object that was asked for. A reader that has gone or has stalled does not keep the
/// app from starting.
async fn print(args: &Args, board: &Board, state: &str, exit: Exit) -> anyhow::Result<()> {
    if args.output != Output::Json {
        return Ok(());
    }
    let json = board.json(state, exit).context("cannot write the result")?;
    let writing = task::spawn_blocking(move || writeln!(io::stdout(), "{json}"));
    let Ok(written) = time::timeout(PRINT_TIMEOUT, writing).await else {
        let limit = lifecycle::format_duration(PRINT_TIMEOUT);
        tracing::warn!("stdout was not read within {limit}, so the result there is not whole");
        return Ok(());
    };
    match written.context("cannot write the result")? {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Exit::Io.because(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Resolves once enough targets are ready, or one that is needed never will be.
async fn targets_ready(args: &Args, targets: &[Target], networks: &[Network], board: &RefCell<Board>) -> Exit {
    let mut start = 0;
    let groups = targets.chunk_by(|one, next| one.group.is_some() && one.group == next.group).map(|members| {
        let range = start..start + members.len();
        start = range.end;
        group_ready(args, targets, networks, board, range)
    });
    let exit = decided(groups.collect(), args.any).await;
    if args.any && exit == Exit::Done {
        board.borrow_mut().release(0..targets.len());
    }
    exit
}

/// Resolves to `Done` once one target of a group is ready, or to the exit of the first when none
/// ever will be. A target without a group is one of its own.
async fn group_ready(
    args: &Args,
    targets: &[Target],
    networks: &[Network],
    board: &RefCell<Board>,
    group: Range<usize>,
) -> Exit {
    let waits = group.clone().map(|index| target_ready(args, &networks[index], board, index, &targets[index]));
    let exit = decided(waits.collect(), true).await;
    if exit == Exit::Done {
        board.borrow_mut().release(group);
    }
    exit
}

/// With `any` a success decides, without it a failure does; if nothing has decided, the first end
/// counts.
async fn decided(mut waits: FuturesUnordered<impl Future<Output = Exit>>, any: bool) -> Exit {
    let mut first = None;
    while let Some(exit) = waits.next().await {
        if (exit == Exit::Done) == any {
            return exit;
        }
        first.get_or_insert(exit);
    }
    first.unwrap_or(Exit::Done)
}

/// Resolves to `Done` once a target has been ready often enough, or to the exit that says why it
/// never will be.
async fn target_ready(args: &Args, network: &Network, board: &RefCell<Board>, index: usize, target: &Target) -> Exit {
    let attempt_timeout = target.attempt_timeout.unwrap_or(args.attempt_timeout);
    let needed = target.stable.unwrap_or(args.stable);
    let mut pace = Pace::new(target.interval.or(args.interval));
    let mut successes = 0;
    loop {
        network.progress.begin(attempt_timeout);
        let attempt = time::timeout(attempt_timeout, target.check.check(network)).await;
        let is_connected = network.progress.stage() >= Some(Stage::Connected);
        let verdict =
            attempt.unwrap_or_else(|_| Err(target.check.at_deadline().unwrap_or_else(|| network.out_of_time())));
        network.progress.end();
        let verdict = target.judge(verdict, args.not);
        let verdict = verdict.map_err(|refusal| if is_connected { target.tls_hint.added_to(refusal) } else { refusal });
        let (state, exit) = match &verdict {
            Ok(_) if successes + 1 >= needed => (State::Ready, Some(Exit::Done)),
            Ok(_) => (State::Waiting, None),
            Err(refusal) => match refusal.never_exit().filter(|_| !args.retry_all) {
                Some(exit) => (State::Never, Some(exit)),
                None => (State::Waiting, None),
            },
        };
        let told = match &verdict {
            Ok(proof) if exit.is_none() => Ok(format!("{proof}, but not yet {needed} times in a row")),
            verdict => verdict.clone(),
        };
        board.borrow_mut().record(index, &told, state);
        if let Some(exit) = exit {
            return exit;
        }
        let pause = match verdict {
            Ok(_) => {
                successes += 1;
                pace.after_success()
            }
            Err(refusal) => {
                successes = 0;
                pace.after(&refusal, fastrand::f64())
            }
        };
        time::sleep(pause).await;
    }
}

/// Zero is no limit.
async fn timeout(limit: Duration) {
    if limit.is_zero() { std::future::pending().await } else { time::sleep(limit).await }
}

/// Reminds of what is missing, or keeps the live table fresh.
async fn keep_telling(board: &RefCell<Board>) {
    let live = board.borrow().is_live();
    loop {
        time::sleep(if live { REDRAW } else { REMINDER }).await;
        if live {
            board.borrow_mut().draw();
        } else {
            board.borrow_mut().remind();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::not_ready::{Cause, NotReady};

    /// What is logged, in memory
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn count(&self, words: &str) -> usize {
            String::from_utf8_lossy(&self.0.lock().unwrap()).matches(words).count()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_told_again_every_thirty_seconds() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _default = tracing::subscriber::set_default(subscriber);
        let targets = ["file:///one", "file:///two"].map(|url| Target::parse(url).unwrap());
        let board = RefCell::new(Board::new(&targets, false));
        board.borrow_mut().record(0, &Err(NotReady::new(Cause::Absent, "no such file")), State::Waiting);
        board.borrow_mut().record(1, &Ok("0 bytes".into()), State::Ready);
        let _ = time::timeout(Duration::from_secs(100), keep_telling(&board)).await;
        let reminder = r#"still not ready target="file:///one" reason="no such file" attempts=1"#;
        assert_eq!((log.count(reminder), log.count("still not ready")), (3, 3));
    }
}
