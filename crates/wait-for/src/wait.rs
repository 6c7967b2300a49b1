//! `run()`: asks all targets at once until they are ready, or something ends the wait.

use std::{
    cell::RefCell,
    io::{self, Write},
    time::Duration,
};

use anyhow::Context;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper_util::client::proxy::matcher::Matcher;
use lifecycle::{End, Exit, Lifecycle};
use tokio::time;

use crate::{
    args::{Args, Output, Proxy},
    board::{Board, REMINDER, State},
    check::{Cause, Network, NotReady},
    config::Config,
    pace::Pace,
    target::Target,
};

/// How often the live table is redrawn when nothing happens
const REDRAW: Duration = Duration::from_secs(1);

/// Waits as the arguments say.
pub async fn run(mut args: Args, life: Lifecycle) -> anyhow::Result<End> {
    if args.disabled {
        tracing::info!("waiting is disabled");
        return Ok(End { become_command: args.command, ..Exit::Done.into() });
    }
    if let Some(path) = &args.config {
        let Config { targets } = lifecycle::config::read(path)?;
        args.targets.extend(targets);
    }
    if args.targets.is_empty() {
        return Err(Exit::Usage.because("no targets: name one, such as tcp://db:5432"));
    }
    let labels = args.targets.iter().map(|target| target.label.clone());
    let board = RefCell::new(Board::new(labels, life.on_terminal()));
    let exit = tokio::select! {
        biased;
        exit = life.stopping() => exit,
        exit = targets_ready(&args, &board) => exit,
        () = timeout(args.timeout) => Exit::TimedOut,
        () = keep_telling(&board) => Exit::Bug,
    };
    finish(args, board.into_inner(), exit)
}

fn finish(args: Args, mut board: Board, exit: Exit) -> anyhow::Result<End> {
    board.summarize(exit);
    if args.output == Output::Json {
        let json = board.json(exit).context("cannot write the result")?;
        writeln!(io::stdout(), "{json}").context("cannot write to stdout")?;
    }
    let mut end = board.end(exit);
    if exit == Exit::Done || (exit == Exit::TimedOut && args.run_anyway) {
        end.become_command = args.command;
    }
    Ok(end)
}

/// Resolves once enough targets are ready, or one that is needed never will be.
async fn targets_ready(args: &Args, board: &RefCell<Board>) -> Exit {
    let network = Network { proxies: (args.proxy == Proxy::Env).then(Matcher::from_env), ..Network::default() };
    let waits =
        args.targets.iter().enumerate().map(|(index, target)| target_ready(args, &network, board, index, target));
    let mut waits: FuturesUnordered<_> = waits.collect();
    let mut outcome = Exit::Done;
    while let Some(exit) = waits.next().await {
        // With --any a success decides; without it a failure does.
        if (exit == Exit::Done) == args.any {
            return exit;
        }
        outcome = exit;
    }
    outcome
}

/// Resolves to `Done` once a target has been ready often enough, or to the exit that says why it never will be.
async fn target_ready(args: &Args, network: &Network, board: &RefCell<Board>, index: usize, target: &Target) -> Exit {
    let attempt_timeout = target.attempt_timeout.unwrap_or(args.attempt_timeout);
    let needed = target.stable.unwrap_or(args.stable);
    let mut pace = Pace::new(target.interval.or(args.interval));
    let mut successes = 0;
    loop {
        let attempt = time::timeout(attempt_timeout, target.check.check(network)).await;
        let verdict = attempt.unwrap_or_else(|_| {
            let limit = lifecycle::format_duration(attempt_timeout);
            Err(NotReady::new(Cause::Silent, format!("no answer within {limit}")))
        });
        let verdict = target.judge(verdict, args.not, args.retry_all);
        let (state, exit) = match &verdict {
            Ok(_) if successes + 1 >= needed => (State::Ready, Some(Exit::Done)),
            Ok(_) => (State::Waiting, None),
            Err(refusal) => match refusal.never_exit() {
                Some(exit) => (State::Never, Some(exit)),
                None => (State::Waiting, None),
            },
        };
        board.borrow_mut().record(index, &verdict, state);
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
                pace.after(refusal.cause, fastrand::f64())
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
